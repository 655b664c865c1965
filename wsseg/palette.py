"""The PASCAL VOC palette: a colour for every mask id."""

import functools

import numpy as np

from wsseg.errors import InputError


@functools.cache
def _palette() -> np.ndarray:
    ids = np.arange(256)
    palette = np.zeros((256, 3), np.uint8)
    # Bits 3i, 3i + 1, 3i + 2 of the id become bit 7 - i of red, green, blue.
    for bit in range(8):
        for channel in range(3):
            palette[:, channel] |= (((ids >> (3 * bit + channel)) & 1) << (7 - bit)).astype(np.uint8)
    palette.flags.writeable = False
    return palette


def voc_palette() -> np.ndarray:
    """Return the colours that the PASCAL VOC development kit gives to mask ids.

    Returns:
        `(256, 3) uint8` RGB, a new array. Entry 0 (background) is black, entry 255 (unsure) is cream.

    Example:
        >>> voc_palette()[[0, 1, 2, 15, 255]].tolist()
        [[0, 0, 0], [128, 0, 0], [0, 128, 0], [192, 128, 128], [224, 224, 192]]

    References:
        VOC2012 development kit, `VOCcode/VOClabelcolormap.m`.
    """
    return _palette().copy()


def colourise(mask: np.ndarray) -> np.ndarray:
    """Paint a mask in the VOC palette.

    Args:
        mask: `(H, W)` integers in 0..255.

    Returns:
        `(H, W, 3) uint8` RGB.

    Raises:
        InputError: `mask` is not two-dimensional, is not integer, or holds ids outside 0..255.

    Example:
        >>> colourise(np.array([[0, 1]], np.uint8)).tolist()
        [[[0, 0, 0], [128, 0, 0]]]
    """
    mask = np.asarray(mask)
    if mask.ndim != 2 or mask.dtype.kind not in "iu":
        raise InputError(
            f"`mask` must be (H, W) integers; got {mask.shape} {mask.dtype}; give class ids, not colours"
        )
    if mask.dtype != np.uint8 and mask.size and (mask.min() < 0 or mask.max() > 255):
        raise InputError(f"`mask` must hold ids in 0..255; got {mask.min()}..{mask.max()}")
    return _palette()[mask]
