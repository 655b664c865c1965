"""Conversion of the user's targets, in any accepted form, to one `Target`."""

from typing import Any

from wsseg.errors import InputError
from wsseg.explainers.targets.class_scores import ClassScores
from wsseg.explainers.targets.target import Function, Several, Target


def as_target(targets: Any, batch: int) -> tuple[Target, bool]:
    """Convert the user's targets to one target.

    Args:
        targets: Class indices `(B,)` or `(B, T)`; a `Target` or a function of the model's output; or a list of the
            latter two.
        batch: Number of images.

    Returns:
        The target, and whether each image has a single map, so that maps are `(B, H, W)`.

    Raises:
        InputError: `targets` has none of these forms, or not one row per image.
    """
    if isinstance(targets, Target):
        target, single = targets, not isinstance(targets, Several)
        if isinstance(targets, ClassScores):
            single = targets.single
    elif callable(targets):
        target, single = Function(targets), True
    elif (
        isinstance(targets, (list, tuple))
        and targets
        and all(callable(x) or isinstance(x, Target) for x in targets)
    ):
        target, single = Several([x if isinstance(x, Target) else Function(x) for x in targets]), False
    else:
        target = ClassScores(targets)
        single = target.single
        if len(target.classes) != batch:
            raise InputError(
                f"`targets` must have one row for each of the {batch} images; got {target.classes.shape}; for the same "
                "class in all images give ClassScores([class]) of `wsseg.explainers.targets`"
            )
    for array in target.arrays:
        if len(array) not in (1, batch):
            raise InputError(
                f"a target must have one row, or one for each of the {batch} images; got {array.shape}"
            )
    return target, single
