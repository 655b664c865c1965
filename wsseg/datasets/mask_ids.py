"""Conversion of the values of a mask file to the ids of a dataset with other classes, or in another order."""

from collections.abc import Sequence

import numpy as np

from wsseg.artifacts import IGNORE
from wsseg.errors import InputError, nearest

ILLEGAL = -1
"""Entry of a table of mask ids for a value that no mask may hold."""


def mask_id_table(
    stored: Sequence[str], classes: Sequence[str], other_objects: str = "background"
) -> np.ndarray:
    """Return the lookup table from the values of a mask file to a dataset's ids.

    Args:
        stored: Classes of the files, in mask-id order: value `k + 1` is `stored[k]`.
        classes: Classes of the dataset, in mask-id order; each is one of `stored`.
        other_objects: Label of pixels of the other stored classes: background or ignore.

    Returns:
        `(256,) int16`: 0 = background, 1..K, 255 = ignore, -1 = illegal value.

    Raises:
        InputError: There are more than 254 stored classes, a class is not among them (the message names the nearest),
            or `other_objects` is neither background nor ignore.

    Example:
        >>> mask_id_table(("bird", "cat", "dog"), ("dog", "bird"))[:5].tolist()
        [0, 2, 0, 1, -1]
    """
    if other_objects not in ("background", "ignore"):
        raise InputError(f"`other_objects` must be background or ignore; got {other_objects!r}")
    if len(stored) >= IGNORE:
        raise InputError(f"masks of 8 bits hold {IGNORE - 1} classes at most; got {len(stored)}")
    table = np.full(256, ILLEGAL, np.int16)
    table[0] = 0
    table[IGNORE] = IGNORE
    table[1 : len(stored) + 1] = 0 if other_objects == "background" else IGNORE
    for position, name in enumerate(classes):
        if name not in stored:
            raise InputError(f"unknown class `{name}` in `classes`; {nearest(name, stored)}")
        table[stored.index(name) + 1] = position + 1
    return table


def translate(stored: np.ndarray, table: np.ndarray, source: str) -> np.ndarray:
    """Convert the values of a mask file to a dataset's ids.

    Args:
        stored: `(H, W)` integers.
        table: `(V,) int16`: mask id of each value, -1 if the value is illegal. Values of V and above are illegal too.
        source: Source of the values, for the error message: `mask FILE`.

    Returns:
        `(H, W) uint8`: 0 = background, 1..K, 255 = ignore.

    Raises:
        InputError: A value is not legal; the message names it and `source`.

    Example:
        >>> translate(np.array([[0, 2], [3, 255]]), mask_id_table(("bird", "cat", "dog"), ("dog",)), "mask a.png")
        array([[  0,   0],
               [  1, 255]], dtype=uint8)
    """
    if stored.dtype == np.uint8 and len(table) > IGNORE:
        mask = table[stored]
    else:
        within = (stored >= 0) & (stored < len(table))
        mask = np.where(within, table[np.where(within, stored, 0)], ILLEGAL)
    if (mask == ILLEGAL).any():
        wrong = stored[mask == ILLEGAL][0]
        raise InputError(f"{source} holds the value {wrong}; expected {_legal(table)}")
    return mask.astype(np.uint8)


def _legal(table: np.ndarray) -> str:
    values = [int(value) for value in np.flatnonzero(table != ILLEGAL) if value not in (0, IGNORE)]
    ids = f"class ids {values[0]}..{values[-1]}" if values else "no class id"
    first = "0 (background), " if table[0] == 0 else "0, " if table[0] != ILLEGAL else ""
    last = f" or {IGNORE} (ignore)" if len(table) > IGNORE and table[IGNORE] == IGNORE else ""
    return first + ids + last
