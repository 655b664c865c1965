"""A target's arrays: a row for each image, or one row for all."""

from typing import Any

import keras
import numpy as np

from wsseg.errors import InputError


def index_rows(name: str, values: Any) -> np.ndarray:
    """Return indices as a target's array.

    Args:
        name: Of the option, for the error message.
        values: A whole number from 0, for all images, or `(B,)` of them.

    Returns:
        `(1,)` or `(B,)` int32.

    Raises:
        InputError: No whole numbers from 0, or of another shape.

    Example:
        >>> index_rows("step", 3).tolist(), index_rows("step", [1, 2]).tolist()
        ([3], [1, 2])
    """
    array = np.asarray(values)
    if array.dtype.kind not in "iu" or array.ndim > 1 or not array.size or array.min() < 0:
        raise InputError(
            f"`{name}` must be a whole number from 0, or one for each image, (B,); got {values!r}; for several scores "
            "of an image give a list of targets"
        )
    return np.atleast_1d(array).astype(np.int32)


def check_below(name: str, indices: np.ndarray, count: int | None, what: str) -> None:
    """Refuse indices that an output does not have.

    Args:
        name: Of the option.
        indices: `(n,)` whole numbers.
        count: How many there are; None where the output does not say.
        what: Of what, in the plural.
    """
    if count is not None and indices.max() >= count:
        raise InputError(
            f"`{name}` must be from 0 to {count - 1}, for the output has {count} {what}; got {indices.max()}"
        )


def repeated(array: Any, batch: Any) -> Any:
    """Repeat rows image by image, so that there are `batch` of them."""
    return keras.ops.repeat(array, batch // keras.ops.shape(array)[0], axis=0)
