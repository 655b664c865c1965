"""Conversion of the user's targets, in any accepted form, to one `Target`."""

import numbers
from collections.abc import Sequence
from typing import Any

import numpy as np

from wsseg.errors import InputError, nearest
from wsseg.explainers.targets.class_scores import ClassScores
from wsseg.explainers.targets.target import Function, Several, Target


def as_target(targets: Any, batch: int, class_names: Sequence[str] | None = None) -> tuple[Target, bool]:
    """Convert the user's targets to one target.

    Args:
        targets: Class indices `(B,)` or `(B, T)`, one index for all images, or lists of different lengths, which are
            filled up with -1; class names in the place of indices; a `Target` or a function of the model's output; or
            a list of the latter two.
        batch: Number of images.
        class_names: Names of the model's classes; None if they are unknown.

    Returns:
        The target, and whether each image has a single map, so that maps are `(B, H, W)`.

    Raises:
        InputError: `targets` has none of these forms, or not one row per image.

    Example:
        >>> as_target([[0, 2], [1]], 2)[0].classes.tolist(), as_target("dog", 5, ["cat", "dog"])[0].classes.tolist()
        ([[0, 2], [1, -1]], [[1]])
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
        classes = class_indices(targets, class_names)
        for_all = classes.ndim == 0
        target = ClassScores(classes[None] if for_all else classes)
        single = target.single
        if not target.width:
            raise InputError("`targets` holds no class; give -1 for an image without a class")
        if len(target.classes) != batch and not for_all:
            raise InputError(
                f"`targets` must have one row for each of the {batch} images; got {target.classes.shape}; for the same "
                "class in all images give the index alone, or ClassScores([class]) of `wsseg.explainers.targets`"
            )
    for array in target.arrays:
        if len(array) not in (1, batch):
            raise InputError(
                f"a target must have one row, or one for each of the {batch} images; got {array.shape}"
            )
    return target, single


def class_indices(targets: Any, class_names: Sequence[str] | None = None) -> np.ndarray:
    """Return class indices as an array; names become indices, and rows of different lengths are filled up with -1.

    Raises:
        InputError: A name is unknown, or `targets` hold something else than indices and names.
    """
    if isinstance(targets, (str, numbers.Number)):
        return np.asarray(_index(targets, class_names))
    if isinstance(targets, (set, frozenset, dict)):
        raise InputError(
            f"`targets` must be in the order of the images; got a {type(targets).__name__}; try a list"
        )
    if hasattr(targets, "to_list"):  # a ragged tensor of TensorFlow
        targets = targets.to_list()
    if not isinstance(targets, (list, tuple)):
        try:
            targets = np.asarray(targets)
        except (TypeError, ValueError, RuntimeError, NotImplementedError) as error:
            raise InputError(
                f"`targets` must be class indices or names, or functions of the model's output; got "
                f"{type(targets).__name__} ({error})"
            ) from error
        if targets.dtype.kind not in "USO":
            return targets
        targets = targets.tolist()
        return class_indices(targets, class_names) if isinstance(targets, list) else np.asarray(targets)
    rows = [x if isinstance(x, (str, numbers.Number)) else class_indices(x, class_names) for x in targets]
    rows = [_index(x, class_names) if isinstance(x, (str, numbers.Number)) else x for x in rows]
    shapes = {np.shape(row) for row in rows}
    if len({len(shape) for shape in shapes}) > 1:
        raise InputError(
            "`targets` must be one class for each image, or a list of classes for each; got both in one list; write "
            "[[0, 2], [1]]"
        )
    if len(shapes) > 1 and all(len(shape) == 1 for shape in shapes):
        longest = max(len(row) for row in rows)
        return np.array([[*row, *[-1] * (longest - len(row))] for row in rows])
    return np.asarray(rows)


def _index(target: Any, class_names: Sequence[str] | None) -> Any:
    if not isinstance(target, str):
        return target
    if class_names is None:
        raise InputError(
            f"`targets` holds the name {target!r}, but the model knows no names of its classes; give the class's "
            "index, or set `model.class_names`, a list of names"
        )
    if target not in class_names:
        raise InputError(f"`targets`: no class is called {target!r}; {nearest(target, class_names)}")
    return list(class_names).index(target)
