"""The level above which a map counts: a fixed value, or Otsu's rule, which needs no label."""

import numpy as np

from wsseg.artifacts import ClassMaps
from wsseg.errors import InputError
from wsseg.places.map_checks import checked_map
from wsseg.refiners.thresholds import otsu_level


def map_level(map_hw: np.ndarray, level: float | str = "otsu") -> float:
    """Return the level of one map.

    Args:
        map_hw: `(H, W)` float in [0, 1].
        level: A value in [0, 1], returned as it is, or "otsu" for `wsseg.refiners.otsu_level` of this map alone.
            One level for a set of maps is steadier: give `otsu_level` all of them and pass its value.

    Returns:
        The level, in [0, 1]. For "otsu" of a map of one value (all 0 where nothing speaks for a class, say) it
        is the highest value of the map, which nothing is above: such a map has no place to show.

    Raises:
        InputError: A wrong map, a level outside [0, 1], or an unknown rule.

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
