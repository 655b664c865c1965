"""What each stage of a recipe is made from, and how two such definitions differ."""

import functools
from typing import Any

from wsseg.artifacts import digest
from wsseg.recipe import Recipe, identity
from wsseg.stages import STAGES, inputs_of, plan
from wsseg.supervision import splits
from wsseg.supervision import training_images as supervision


class Definitions:
    """What each stage of a recipe is made from, down to the data; computed once for each stage.

    Args:
        recipe: The validated recipe.
    """

    def __init__(self, recipe: Recipe):
        self.recipe = recipe
        self._fingerprint = functools.cache(lambda part: splits.fingerprint(recipe, part))
        self.of = functools.cache(self._of)

    def _section(self, dotted: str) -> Any:
        value: Any = self.recipe
        for part in dotted.split("."):
            value = getattr(value, part)
        return identity(value)

    def _matters(self, section: str) -> bool:
        """Tell whether options of another stage, that this one reads too, decide anything in this recipe."""
        if section.startswith("label.threshold."):
            return self.recipe.label.threshold.rule == "calibration"
        return section != "label" or "label" in plan(self.recipe)

    def _of(self, name: str) -> dict[str, Any]:
        """Return the definition of a stage, as its manifest stores it."""
        stage = STAGES[name]
        definition: dict[str, Any] = {"options": {}, "data": {}, "inputs": {}}
        for section in stage.sections:
            if self._matters(section):
                definition["options"][section] = self._section(section)
        definition["options"] |= supervision.options_of(self.recipe, name)
        definition["data"] |= supervision.data_of(self.recipe, name)
        for section in ("classify", "propagate", "segment", "detect"):
            if section in stage.sections:
                weights = getattr(self.recipe, section).weights
                definition["data"][f"{section}.weights"] = splits.weights_fingerprint(weights)
        for part in stage.data:
            if (value := self._fingerprint(part)) is not None:
                definition["data"][part] = value
        if name == "segment" and self.recipe.segment.train_on == "true_masks":
            definition["data"]["train_masks"] = self._fingerprint("train_masks")
        if name == "ceiling":
            definition["options"]["segment"]["supervision"] = "masks"
            definition["options"]["segment"].pop("teacher", None)  # the true masks leave it nothing to label
        for other in inputs_of(self.recipe, name):
            definition["inputs"][other] = digest(self.of(other))
        return definition


def differences(old: Any, new: Any, name: str = "") -> list[str]:
    """Say how two definitions differ, one clause for each option.

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
    """Say in one line why a finished stage no longer stands: options first, then data, then inputs."""
    clauses = differences(old.get("options", {}), new["options"])
    # What stands for data and files is a hash, which says nothing to people.
    parts = _changed(old.get("data", {}), new["data"])
    clauses += [f"the data changed: {', '.join(f'`{part}`' for part in parts)}"] if parts else []
    inputs = _changed(old.get("inputs", {}), new["inputs"])
    if inputs and not clauses:
        clauses = [f"its input changed: {', '.join(f'`{name}`' for name in inputs)}"]
    return "; ".join(clauses) or "it was defined by another version of wsseg"


def _changed(old: dict[str, Any], new: dict[str, Any]) -> list[str]:
    return [key for key in dict.fromkeys([*old, *new]) if old.get(key) != new.get(key)]
