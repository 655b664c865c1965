"""Fills: the values that replace removed pixels."""

from collections.abc import Sequence

import numpy as np
from scipy import ndimage

from wsseg.errors import InputError, nearest

FILLS = ("blur", "mean", "black", "grey")


def filled(image: np.ndarray, fill: str | Sequence[float], sigma: float = 5.0) -> np.ndarray:
    """Return the image with all its pixels replaced by the fill.

    Args:
        image: `(H, W, C)` float32, RGB in [0, 255].
        fill: `blur` (the blurred image), `mean` (the image's mean colour), `black`, `grey` (127.5), or a colour: one
            number in [0, 255] per channel.
        sigma: Standard deviation of the blur in pixels; it is also the kernel's radius, so sigma 5 gives 11 pixels
            as in Petsiuk et al.'s code. The border is mirrored.

    Returns:
        `(H, W, C)` float32.

    Raises:
        InputError: There is no such fill, `sigma` is not positive, or the colour has another number of channels.

    Example:
        >>> filled(np.array([[[0, 0, 0], [10, 20, 30]]]), "mean").tolist()
        [[[5.0, 10.0, 15.0], [5.0, 10.0, 15.0]]]
    """
    image = np.asarray(image, np.float32)
    check_fill(fill, sigma, image.shape[-1])
    if isinstance(fill, str) and fill == "blur":
        radius = (max(round(sigma), 1),) * 2 + (0,)
        return ndimage.gaussian_filter(image, (sigma, sigma, 0), mode="mirror", radius=radius)
    if isinstance(fill, str) and fill == "mean":
        colour = image.mean(axis=(0, 1))
    else:
        colour = {"black": 0.0, "grey": 127.5}.get(fill) if isinstance(fill, str) else fill
    return np.broadcast_to(np.asarray(colour, np.float32), image.shape).copy()


def check_fill(fill: str | Sequence[float], sigma: float = 5.0, channels: int | None = None) -> None:
    """Raise an error for an unknown fill or a wrong `sigma`.

    Args:
        fill: See `filled`.
        sigma: See `filled`.
        channels: Number of channels of the images; None if unknown.

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
    numbers = colour.ndim == 1 and colour.size > 0 and colour.dtype.kind in "fiu"
    if not numbers or not ((colour >= 0) & (colour <= 255)).all() or channels not in (None, colour.size):
        raise InputError(
            "a fill's colour must be one number in [0, 255] for each channel"
            f"{f' ({channels})' if channels else ''}; got {fill!r}"
        )
