"""A target's arrays: one row per image, or one row for all images."""

from typing import Any

import keras
import numpy as np

from wsseg.errors import InputError


def index_rows(name: str, values: Any) -> np.ndarray:
    """Return indices as a target's array.

    Args:
        name: Name of the option, for the error message.
        values: A whole number of at least 0 for all images, or `(B,)` whole numbers, one per image.

    Returns:
        `(1,)` or `(B,)` int32.

    Raises:
        InputError: `values` are not whole numbers of at least 0, or have another shape.

    Example:
        >>> index_rows("step", 3).tolist(), index_rows("step", [1, 2]).tolist()
        ([3], [1, 2])
    """
    array = np.asarray(values)
    if array.dtype.kind not in "iu" or array.ndim > 1 or not array.size or array.min() < 0:
        raise InputError(
            f"`{name}` must be a whole number from 0, or one per image, (B,); got {values!r}; for several scores "
            "per image give a list of targets"
        )
    return np.atleast_1d(array).astype(np.int32)


def check_below(name: str, indices: np.ndarray, count: int | None, what: str) -> None:
    """Raise an error for indices that an output does not have.

    Args:
        name: Name of the option, for the error message.
        indices: `(n,)` whole numbers.
        count: Number of items that the output has; None if unknown.
        what: Name of the items in the plural, for the error message.

    Raises:
        InputError: An index is `count` or more.
    """
    if count is not None and indices.max() >= count:
        raise InputError(
            f"`{name}` must be from 0 to {count - 1}, since the output has {count} {what}; got {indices.max()}"
        )


def repeated(array: Any, batch: Any) -> Any:
    """Repeat each row equally often, so that there are `batch` rows."""
    return keras.ops.repeat(array, batch // keras.ops.shape(array)[0], axis=0)
