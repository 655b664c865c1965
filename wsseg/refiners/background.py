"""A score for the background, which has no image-level label and therefore no class map."""

import numpy as np

from wsseg.errors import InputError, nearest

KINDS = ("constant", "power")


def with_background(maps_khw: np.ndarray, kind: str = "constant", level: float = 0.25) -> np.ndarray:
    """Put a background score in front of class maps.

    Args:
        maps_khw: `(C, H, W) float` in [0, 1]: One map for each class present; C may be 0.
        kind: Form of the background score. `constant`: `level` at every pixel, so a pixel is foreground where its
            highest map is above `level` (IRN: 0.15 on plain class maps). `power`: (1 - max_c map_c)^level, so a higher
            exponent means less background (PSA: 4 for confident foreground, 32 for confident background).
        level: Level of the background: in [0, 1] for `constant`, positive for `power`.

    Returns:
        `(C + 1, H, W) float32` in [0, 1]: Background first, then the unchanged maps.

    Raises:
        InputError: The maps are outside [0, 1] or not `(C, H, W)`, the kind is unknown, or the level is out of range.

    Example:
        >>> maps = np.array([[[0.1, 0.9]], [[0.3, 0.5]]])
        >>> with_background(maps, "constant", 0.25).argmax(0).tolist()
        [[2, 1]]
        >>> print(with_background(maps, "power", 2)[0].round(2))
        [[0.49 0.01]]

    References:
        Ahn and Kwak, Learning Pixel-level Semantic Affinity with Image-level Supervision, CVPR 2018,
        equation 2 (`power`). Ahn et al., IRNet, CVPR 2019, public code (`constant`).
    """
    maps = np.asarray(maps_khw)
    if maps.ndim != 3 or maps.dtype.kind != "f":
        raise InputError(f"`maps_khw` must be (C, H, W) float; got {maps.shape} {maps.dtype}")
    maps = maps.astype(np.float32, copy=False)
    # Written so that nan fails too.
    if maps.size and not (maps.min() >= 0 and maps.max() <= 1):
        raise InputError(
            f"`maps_khw` must lie in [0, 1]; got {maps.min():.4g}..{maps.max():.4g}; divide by the maximum"
        )
    if kind == "constant":
        if not 0 <= level <= 1:
            raise InputError(f"the constant background's `level` must be in [0, 1]; got {level}; try 0.25")
        background = np.full((1, *maps.shape[1:]), level, np.float32)
    elif kind == "power":
        if not 0 < level < np.inf:
            raise InputError(f"the power background's `level` must be positive; got {level}; try 4 to 32")
        background = (1 - maps.max(0, keepdims=True, initial=0)) ** np.float32(level)
    else:
        raise InputError(f"unknown background `{kind}`; {nearest(kind, KINDS)}")
    return np.concatenate([background, maps])
