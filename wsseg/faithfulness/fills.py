"""Fills: the values that replace removed pixels."""

from collections.abc import Sequence

import numpy as np
from scipy import ndimage

from wsseg.errors import InputError, nearest

FILLS = ("blur", "mean", "black", "grey")


def filled(image: np.ndarray, fill: str | Sequence[float], sigma: float = 5.0) -> np.ndarray:
    """Return the image with all its pixels replaced by the fill.

    Args:
        image: `(H, W, 3)` float32 RGB in [0, 255].
        fill: `blur` (the blurred image), `mean` (the image's mean colour), `black`, `grey` (127.5), or a colour of
            three numbers in [0, 255].
        sigma: Standard deviation of the blur in pixels; it is also the kernel's radius, so sigma 5 gives 11 pixels
            as in Petsiuk et al.'s code. The border is mirrored.

    Returns:
        `(H, W, 3)` float32.

    Raises:
        InputError: There is no such fill, or `sigma` is not positive.

    Example:
        >>> filled(np.array([[[0, 0, 0], [10, 20, 30]]]), "mean").tolist()
        [[[5.0, 10.0, 15.0], [5.0, 10.0, 15.0]]]
    """
    check_fill(fill, sigma)
    image = np.asarray(image, np.float32)
    if fill == "blur":
        radius = (max(round(sigma), 1),) * 2 + (0,)
        return ndimage.gaussian_filter(image, (sigma, sigma, 0), mode="mirror", radius=radius)
    if fill == "mean":
        colour = image.mean(axis=(0, 1))
    else:
        colour = {"black": 0.0, "grey": 127.5}.get(fill) if isinstance(fill, str) else fill
    return np.broadcast_to(np.asarray(colour, np.float32), image.shape).copy()


def check_fill(fill: str | Sequence[float], sigma: float = 5.0) -> None:
    """Raise an error for an unknown fill or a wrong `sigma`.

    Raises:
        InputError: See `filled`.
    """
    if not 0 < sigma < np.inf:
        raise InputError(f"`sigma` of the blur must be positive; got {sigma}; try 5")
    if isinstance(fill, str):
        if fill not in FILLS:
            raise InputError(f"unknown fill `{fill}`; {nearest(fill, FILLS)}, or give a colour, R,G,B")
        return
    colour = np.asarray(fill)
    if colour.shape != (3,) or colour.dtype.kind not in "fiu" or not ((colour >= 0) & (colour <= 255)).all():
        raise InputError(f"a fill's colour must be three numbers in [0, 255]; got {fill!r}")
