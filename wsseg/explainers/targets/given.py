"""What the user gave as targets, as one target."""

from typing import Any

from wsseg.errors import InputError
from wsseg.explainers.targets.class_scores import ClassScores
from wsseg.explainers.targets.target import Function, Several, Target


def as_target(targets: Any, batch: int) -> tuple[Target, bool]:
    """Return what the user gave as one target, and whether an image has a single map, `(B, H, W)`.

    Args:
        targets: Class indices `(B,)` or `(B, T)`; a `Target` or a function of the model's output; or a list of these.
        batch: Number of images.

    Raises:
        InputError: None of these, or not a row for each image.
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
                f"`targets` must have a row for each of the {batch} images; got {target.classes.shape}; for the same "
                "class in all give ClassScores([class]) of `wsseg.explainers.targets`"
            )
    for array in target.arrays:
        if len(array) not in (1, batch):
            raise InputError(
                f"a target must have one row, or one for each of the {batch} images; got {array.shape}"
            )
    return target, single
