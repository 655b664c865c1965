"""What a stage is: what is known of it before it runs, and what it says when it is done."""

import importlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from wsseg.recipe import Recipe
from wsseg.supervision.splits import Splits

Condition = Callable[[Recipe], bool]
"""Tells whether something belongs to a recipe's run."""


def always(recipe: Recipe) -> bool:
    """Hold for every recipe."""
    return True


def each(*names: str, when: Condition = always) -> dict[str, Condition]:
    """Give several names one condition.

    Example:
        >>> list(each("seed", "dataset"))
        ['seed', 'dataset']
    """
    return dict.fromkeys(names, when)


def as_it_is(definition: dict[str, Any]) -> None:
    """Leave a definition as it is."""


@dataclass(frozen=True)
class Outcome:
    """What a stage says when it is done.

    Attributes:
        line: One line: what it made, how good it is.
        counts: The same for the manifest: numbers by name.
        set_aside: Inputs that were not used, `id -> reason`.
        warnings: What looks wrong in what it made (`wsseg.stages.warning_signs`).
    """

    line: str
    counts: dict[str, Any] = field(default_factory=dict)
    set_aside: dict[str, str] = field(default_factory=dict)
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True)
class Stage:
    """A function from directories to one new directory.

    Options, inputs and data decide the stage's outcome, each under its condition. What is missing there makes a stage
    look done when it is not.

    Attributes:
        folder: Directory of the stage inside the run folder.
        work: "module:function" of `work(recipe, splits, inputs, out) -> Outcome`; imported when the stage runs.
        when: Condition under which a recipe has this stage.
        options: Dotted names of options and sections of the recipe.
        inputs: Names of the stages whose directories it reads.
        data: Parts of the data: `train`, `val`, `calibration`, each also with `_masks`; `given_masks`; `annotations`.
        amend: Changes a definition that the options alone do not tell.
    """

    folder: str
    work: str
    when: Condition = always
    options: Mapping[str, Condition] = field(default_factory=dict)
    inputs: Mapping[str, Condition] = field(default_factory=dict)
    data: Mapping[str, Condition] = field(default_factory=dict)
    amend: Callable[[dict[str, Any]], None] = as_it_is

    def options_of(self, recipe: Recipe) -> list[str]:
        """Return the options that decide the outcome in this recipe."""
        return [name for name, when in self.options.items() if when(recipe)]

    def data_of(self, recipe: Recipe) -> list[str]:
        """Return the parts of the data that decide the outcome in this recipe."""
        return [name for name, when in self.data.items() if when(recipe)]

    def run(self, recipe: Recipe, splits: Splits, inputs: Mapping[str, Path], out: Path) -> Outcome:
        """Do the stage's work.

        Args:
            recipe: The validated recipe.
            splits: The dataset's splits, opened once for all stages.
            inputs: Directories of the input stages, by name.
            out: The stage's own directory. What an interrupted run has left there is kept and completed.
        """
        module, function = self.work.split(":")
        return getattr(importlib.import_module(module), function)(recipe, splits, inputs, out)
