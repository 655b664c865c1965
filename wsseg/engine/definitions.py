"""Definitions: everything that decides the outcome of a stage, and how two definitions differ."""

import functools
import hashlib
from collections.abc import Collection
from pathlib import Path
from typing import Any

from wsseg.artifacts import digest
from wsseg.errors import InputError
from wsseg.recipe import identity
from wsseg.stages import STAGES, inputs_of
from wsseg.supervision.corrected_masks import fingerprint_of_corrected_masks
from wsseg.supervision.splits import Splits
from wsseg.supervision.training_images import fingerprint_of_annotations, fingerprint_of_given_masks

FURTHER_DATA = {"given_masks": fingerprint_of_given_masks, "annotations": fingerprint_of_annotations}
"""Parts of the data that are not a split of the dataset -> function that computes their fingerprint."""

ADDED_DATA = {"corrected_masks": fingerprint_of_corrected_masks}
"""Parts of the data that a user adds to a run later -> function that computes their fingerprint, None if there is none.

A definition names such a part only if it is there, so that runs without it stay done.
"""


class Definitions:
    """Definitions of a recipe's stages: options, data and input stages. Each is computed once.

    Args:
        splits: Splits of the dataset, and the validated recipe.
    """

    def __init__(self, splits: Splits):
        self.splits = splits
        self.recipe = splits.recipe
        self._fingerprint = functools.cache(self._fingerprint_of)
        self.of = functools.cache(self._of)

    def _fingerprint_of(self, part: str) -> str | None:
        compute = (FURTHER_DATA | ADDED_DATA).get(part)
        if compute is not None:
            return compute(self.splits)
        return self.splits.fingerprint(part)

    def _section(self, dotted: str) -> Any:
        value: Any = self.recipe
        for part in dotted.split("."):
            value = getattr(value, part)
        return identity(value)

    def _of(self, name: str) -> dict[str, Any]:
        """Return the definition of a stage, in the form that its manifest stores."""
        stage = STAGES[name]
        options = stage.options_of(self.recipe)
        data = {part: self._fingerprint(part) for part in stage.data_of(self.recipe)}
        data = {part: found for part, found in data.items() if found is not None}
        for option in options:
            if hasattr(section := getattr(self.recipe, option, None), "weights"):
                data[f"{option}.weights"] = weights_fingerprint(section.weights)
        definition = {
            "options": {option: self._section(option) for option in options},
            "data": data,
            "inputs": {other: digest(self.of(other)) for other in inputs_of(self.recipe, name)},
        }
        stage.amend(definition)
        return definition


def weights_fingerprint(weights: str | None) -> str | None:
    """Return the identity of initial weights: their name, or a hash of the file's content, not its path.

    Raises:
        InputError: The file does not exist.
    """
    if weights is None or weights in ("imagenet", "preset", "classifier"):
        return weights
    path = Path(weights).expanduser()
    try:
        with path.open("rb") as file:
            return digest(hashlib.file_digest(file, "sha256").hexdigest())
    except OSError as error:
        raise InputError(
            f"weights file {path} cannot be read ({error.strerror}); give an existing file"
        ) from error


def differences(old: Any, new: Any, name: str = "") -> list[str]:
    """Describe how two definitions differ, in one clause per option.

    Example:
        >>> differences({"localize": {"scales": [1]}}, {"localize": {"scales": [0.5, 1]}})
        ['`localize.scales` changed from [1] to [0.5, 1]']
    """
    if isinstance(old, dict) and isinstance(new, dict):
        clauses = []
        for key in [*old, *(key for key in new if key not in old)]:
            inner = f"{name}.{key}" if name else key
            if key not in old:
                clauses.append(f"`{inner}` is now {new[key]}")
            elif key not in new:
                clauses.append(f"`{inner}` is no longer {old[key]}")
            else:
                clauses += differences(old[key], new[key], inner)
        return clauses
    return [] if old == new else [f"`{name}` changed from {old} to {new}"]


def why_stale(old: dict[str, Any], new: dict[str, Any]) -> str:
    """Describe in one line why a finished stage is stale: options first, then data, then inputs."""
    clauses = differences(old.get("options", {}), new["options"])
    # Data and files are identified by hashes, which are not informative, so only their names are given.
    parts = _changed(old.get("data", {}), new["data"])
    clauses += [f"the data changed: {', '.join(f'`{part}`' for part in parts)}"] if parts else []
    inputs = _changed(old.get("inputs", {}), new["inputs"])
    if inputs and not clauses:
        clauses = [f"its input changed: {', '.join(f'`{name}`' for name in inputs)}"]
    return "; ".join(clauses) or "it was defined by another version of wsseg"


def differ_in_data_alone(old: dict[str, Any], new: dict[str, Any], parts: Collection[str]) -> bool:
    """Tell whether two different definitions differ in nothing but some parts of the data.

    Example:
        >>> old = {"options": {"seed": 0}, "data": {"train": "a"}, "inputs": {}}
        >>> differ_in_data_alone(old, old | {"data": {"train": "a", "corrected_masks": "b"}}, ["corrected_masks"])
        True
        >>> differ_in_data_alone(old, old | {"data": {"train": "c"}}, ["corrected_masks"])
        False
    """

    def others(definition: dict[str, Any]) -> dict[str, Any]:
        data = definition.get("data", {})
        return definition | {"data": {part: data[part] for part in data if part not in parts}}

    return old != new and others(old) == others(new)


def _changed(old: dict[str, Any], new: dict[str, Any]) -> list[str]:
    return [key for key in dict.fromkeys([*old, *new]) if old.get(key) != new.get(key)]
