"""Checks of maps and levels, shared by the files of this folder."""

import numpy as np

from wsseg.errors import InputError


def checked_map(map_hw: np.ndarray) -> np.ndarray:
    """Return a map as float32.

    Args:
        map_hw: `(H, W)` float in [0, 1].

    Returns:
        `(H, W)` float32.

    Raises:
        InputError: The map has another shape, no pixel, an integer dtype, a NaN, or a value outside [0, 1].
    """
    found = np.asarray(map_hw)
    if found.ndim != 2 or not found.size:
        raise InputError(
            f"`map_hw` must be (H, W) with at least one pixel; got {found.shape}; give one map at a time"
        )
    if found.dtype.kind != "f":
        raise InputError(
            f"`map_hw` must be float in [0, 1]; got {found.dtype}; divide by the largest possible value"
        )
    low, high = found.min(), found.max()  # nan, if there is one
    if np.isnan(low):
        raise InputError("`map_hw` holds nan; a map without evidence must be 0; check the source of the map")
    if low < 0 or high > 1:
        raise InputError(
            f"`map_hw` must lie in [0, 1]; got {low:.4g}..{high:.4g}; set negatives to 0, divide by the maximum"
        )
    return found.astype(np.float32, copy=False)


def checked_levels(levels) -> np.ndarray:
    """Return levels as `(L,)` float32, after a check that each is in [0, 1].

    Raises:
        InputError: `levels` is not a one-dimensional sequence of numbers in [0, 1].
    """
    try:
        found = np.asarray(levels, dtype=np.float32)
    except (TypeError, ValueError) as error:
        raise InputError(f"`levels` must be numbers in [0, 1]; got {levels!r}; try 0.1, 0.2, 0.3") from error
    # Written so that nan fails too.
    if found.ndim != 1 or not ((found >= 0) & (found <= 1)).all():
        raise InputError(f"`levels` must be a list of numbers in [0, 1]; got {levels!r}; try 0.1, 0.2, 0.3")
    return found
