"""Checks and scaling of maps and object masks, shared by the localisation scores."""

import numpy as np

from wsseg.errors import InputError


def checked(map_hw: np.ndarray, least: float | None = None) -> np.ndarray:
    """Return a map as float64.

    Args:
        map_hw: `(H, W)` real.
        least: Minimum value allowed, or None for no minimum.

    Raises:
        InputError: The map has another shape or no pixel, or holds nan, infinity or a value below `least`.
    """
    values = np.asarray(map_hw)
    if values.ndim != 2 or not values.size or values.dtype.kind not in "fiub":
        raise InputError(
            f"`map_hw` must be (H, W) numbers; got {values.shape} {values.dtype}; give one map at a time"
        )
    values = values.astype(np.float64)
    if not np.isfinite(values).all():
        raise InputError("`map_hw` holds nan or infinity; check the model's weights and its input")
    if least is not None and values.min() < least:
        raise InputError(
            f"`map_hw` must be at least {least:g}; got {values.min():.4g}; set negative evidence to 0 first"
        )
    return values


def unit_range(map_hw: np.ndarray) -> np.ndarray:
    """Scale a map linearly to [0, 1], as Choe et al. do before they try all thresholds.

    Args:
        map_hw: `(H, W)` real.

    Returns:
        `(H, W)` float32 with minimum 0 and maximum 1; a constant map becomes 0 everywhere.

    Raises:
        InputError: See `checked`.

    Example:
        >>> unit_range(np.array([[1.0, 2.0, 5.0]])).tolist(), unit_range(np.ones((1, 2))).tolist()
        ([[0.0, 0.25, 1.0]], [[0.0, 0.0]])
    """
    values = checked(map_hw)
    low, high = values.min(), values.max()
    if high <= low:
        return np.zeros(values.shape, np.float32)
    # Halved first, because the difference of two finite numbers may be infinite.
    scaled = (values / 2 - low / 2) / (high / 2 - low / 2)
    return np.clip(scaled, 0, 1).astype(np.float32)


def region(name: str, mask_hw: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """Return a mask as bool, after checking that it fits the map.

    Args:
        name: Name of the argument in the error message.
        mask_hw: `(H, W)` bool, or integers 0 and 1.
        shape: `(H, W)` of the map.

    Raises:
        InputError: The mask is neither bool nor 0 and 1, or its shape differs from the map's.
    """
    mask = np.asarray(mask_hw)
    if mask.shape != shape:
        raise InputError(
            f"`{name}` is {mask.shape}, its map {shape} (H, W); resize the map to the image's size, never the mask"
        )
    if mask.dtype != bool:
        if mask.dtype.kind not in "iu" or (mask.size and not np.isin(mask, (0, 1)).all()):
            raise InputError(
                f"`{name}` must be bool, or hold 0 and 1; got {mask.dtype}; compare the mask with the class's id first"
            )
        mask = mask.astype(bool)
    return mask
