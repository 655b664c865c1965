"""The description of a stage, and the outcome that it returns."""

import importlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from wsseg.recipe import Recipe
from wsseg.stages.plan_costs import Cost, Sizes, nothing
from wsseg.supervision.splits import Splits

Condition = Callable[[Recipe], bool]
"""Function that returns whether something belongs to a recipe's run."""


def always(recipe: Recipe) -> bool:
    """Return True: the condition that holds for every recipe."""
    return True


def each(*names: str, when: Condition = always) -> dict[str, Condition]:
    """Give several names one condition.

    Example:
        >>> list(each("seed", "dataset"))
        ['seed', 'dataset']
    """
    return dict.fromkeys(names, when)


def as_it_is(definition: dict[str, Any]) -> None:
    """Do not change a definition."""


def no_words(recipe: Recipe, images: int) -> str:
    """Return nothing: the plan then shows the name of the stage alone."""
    return ""


@dataclass(frozen=True)
class Outcome:
    """Summary that a stage returns when it is done.

    Attributes:
        line: One line for the user: what the stage made, and how good it is.
        counts: The same facts for the manifest: numbers by name.
        set_aside: Inputs that were not used, `id -> reason`.
        warnings: Signs that the result is wrong, one line each (`wsseg.stages.warning_signs`).
    """

    line: str
    counts: dict[str, Any] = field(default_factory=dict)
    set_aside: dict[str, str] = field(default_factory=dict)
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True)
class Stage:
    """A function that reads folders and writes one new folder.

    Options, inputs and data decide the stage's outcome, each under its condition. If one is missing here, a stage looks
    done although it is not.

    Attributes:
        folder: Name of the stage's folder inside the run folder.
        work: "module:function" of `work(recipe, splits, inputs, out) -> Outcome`; imported when the stage runs.
        plan_line: Function of the recipe and the number of training images that says in a few words what the stage will
            do; see `wsseg.stages.plan_lines`.
        cost: Function of the recipe and the dataset's size that says roughly what the stage costs; see
            `wsseg.stages.plan_costs`.
        when: Condition under which a recipe has this stage.
        options: Dotted names of options and sections of the recipe.
        inputs: Names of the stages whose folders this stage reads.
        data: Parts of the data: `train`, `val`, `calibration`, each also with `_masks`; `given_masks`; `annotations`;
            `corrected_masks`.
        amend: Function that adds to a definition what the options do not contain.
        updates: Parts of the data that concern single files of the stage. If nothing else changed, the stage starts
            from a copy of its finished folder and makes only these files again.
    """

    folder: str
    work: str
    plan_line: Callable[[Recipe, int], str] = no_words
    cost: Callable[[Recipe, Sizes], Cost] = nothing
    when: Condition = always
    options: Mapping[str, Condition] = field(default_factory=dict)
    inputs: Mapping[str, Condition] = field(default_factory=dict)
    data: Mapping[str, Condition] = field(default_factory=dict)
    amend: Callable[[dict[str, Any]], None] = as_it_is
    updates: tuple[str, ...] = ()

    def options_of(self, recipe: Recipe) -> list[str]:
        """Return the options that decide the outcome in this recipe."""
        return [name for name, when in self.options.items() if when(recipe)]

    def data_of(self, recipe: Recipe) -> list[str]:
        """Return the parts of the data that decide the outcome in this recipe."""
        return [name for name, when in self.data.items() if when(recipe)]

    def run(self, recipe: Recipe, splits: Splits, inputs: Mapping[str, Path], out: Path) -> Outcome:
        """Run the stage.

        Args:
            recipe: Validated recipe.
            splits: Splits of the dataset, opened once for all stages.
            inputs: Folders of the input stages, by name.
            out: Folder of this stage. Files of an interrupted run are kept, and the missing ones are added.
        """
        module, function = self.work.split(":")
        return getattr(importlib.import_module(module), function)(recipe, splits, inputs, out)
