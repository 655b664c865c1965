"""What the values of a mask file mean to a dataset that has other classes, or another order of them."""

from collections.abc import Sequence

import numpy as np

from wsseg.artifacts import IGNORE
from wsseg.catalogue import nearest
from wsseg.errors import InputError

ILLEGAL = -1
"""Stands in a table of mask ids for a value that no mask may hold."""


def mask_id_table(
    stored: Sequence[str], classes: Sequence[str], other_objects: str = "background"
) -> np.ndarray:
    """Return the lookup table from the values of a mask file to a dataset's ids.

    Args:
        stored: The classes of the files, in their mask-id order: value `k + 1` is `stored[k]`.
        classes: The dataset's classes, each one of `stored`, in its mask-id order.
        other_objects: What the pixels of the other stored classes become: background or ignore.

    Returns:
        `(256,) int16`: 0 = background, 1..K, 255 = ignore, -1 = a value that is not legal.

    Raises:
        InputError: A class is not in `stored` (the nearest is named), or `other_objects` is neither.

    Example:
        >>> mask_id_table(("bird", "cat", "dog"), ("dog", "bird"))[:5].tolist()
        [0, 2, 0, 1, -1]
    """
    if other_objects not in ("background", "ignore"):
        raise InputError(f"`other_objects` must be background or ignore; got {other_objects!r}")
    table = np.full(256, ILLEGAL, np.int16)
    table[0] = 0
    table[IGNORE] = IGNORE
    table[1 : len(stored) + 1] = 0 if other_objects == "background" else IGNORE
    for position, name in enumerate(classes):
        if name not in stored:
            raise InputError(f"unknown class `{name}` in `classes`; {nearest(name, stored)}")
        table[stored.index(name) + 1] = position + 1
    return table
