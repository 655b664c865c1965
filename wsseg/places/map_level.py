"""The level above which a pixel of a map belongs to a place: a fixed value, or Otsu's rule, which needs no label."""

import numpy as np

from wsseg.artifacts import ClassMaps
from wsseg.errors import InputError
from wsseg.places.map_checks import checked_map
from wsseg.refiners.thresholds import otsu_level


def map_level(map_hw: np.ndarray, level: float | str = "otsu") -> float:
    """Return the level of one map.

    Args:
        map_hw: `(H, W)` float in [0, 1].
        level: A value in [0, 1], returned unchanged, or "otsu" for `wsseg.refiners.otsu_level` of only this map.
            One level for a set of maps is more stable: call `otsu_level` on all maps and pass its value here.

    Returns:
        The level, in [0, 1]. For "otsu" and a constant map (such as all 0, if nothing supports a class), it
        is the highest value of the map. No pixel is above it, so such a map has no place.

    Raises:
        InputError: The map is invalid, the level is outside [0, 1], or the rule is unknown.

    Example:
        >>> 0.1 < map_level(np.array([[0.1, 0.1, 0.9, 0.8]])) < 0.8
        True
        >>> map_level(np.zeros((2, 2)))
        0.0
    """
    values = checked_map(map_hw)
    if level == "otsu":
        if np.unique((values * 256).astype(np.int32).clip(0, 255)).size < 2:
            return float(values.max())
        return otsu_level([ClassMaps(np.array([1]), values[None], values.shape)])
    # Written so that nan fails too.
    if isinstance(level, (bool, str)) or not np.isscalar(level) or not 0 <= level <= 1:
        raise InputError(f"`level` must be in [0, 1], or `otsu`; got {level!r}; try 0.2")
    return float(level)
