"""Bilinear resizing of class maps."""

import numpy as np

from wsseg.errors import InputError
from wsseg.interpolation import resizing


def resize_maps(maps_khw: np.ndarray, size_hw: tuple[int, int]) -> np.ndarray:
    """Resize maps bilinearly with half-pixel centres, as `tf.image.resize` does.

    Pixel i of n has its centre at (i + 0.5) / n of the image's extent, so a map and its image cover the same area.
    The function is meant to enlarge maps: it does not antialias when it reduces them.

    Args:
        maps_khw: `(C, h, w) float`; C may be 0.
        size_hw: Wanted height and width.

    Returns:
        `(C, H, W) float32`, within the range of the input.

    Raises:
        InputError: `maps_khw` is not three-dimensional, or a size is not positive.

    Example:
        >>> resize_maps(np.array([[[0.0, 1.0]]]), (1, 4)).tolist()
        [[[0.0, 0.25, 0.75, 1.0]]]
    """
    maps = np.asarray(maps_khw, np.float32)
    height, width = (int(side) for side in size_hw)
    if maps.ndim != 3 or 0 in maps.shape[1:]:
        raise InputError(f"`maps_khw` must be (C, h, w); got {maps.shape}")
    if height < 1 or width < 1:
        raise InputError(f"`size_hw` must be positive; got {tuple(size_hw)}")
    if maps.shape[1:] == (height, width):
        return maps
    resized = resizing(maps.shape[1], height) @ maps @ resizing(maps.shape[2], width).T
    # Rounding may exceed the input's range by one unit in the last place, and a check for [0, 1] would then fail.
    return np.clip(resized, maps.min(initial=np.inf), maps.max(initial=-np.inf)) if maps.size else resized
