"""The pointing game: does the map's maximum lie on the object?"""

from typing import Any

import numpy as np
from scipy import ndimage

from wsseg.errors import InputError
from wsseg.metrics.map_checks import checked, region


class PointingGame:
    """Pointing game accuracy of Zhang et al. over any number of maps.

    A map is a hit if its maximum is at most `tolerance` pixels from a pixel of the object. Each class has
    Acc = hits / (hits + misses), and the score is the mean over the classes. If several pixels share the
    maximum, the share of them that hit is counted: the expected value of choosing one of them at random (the
    paper leaves this open). So a constant map scores the same as a random pixel.

    Args:
        tolerance: Maximum Euclidean distance of a hit, pixels (the paper: 15).

    Raises:
        InputError: `tolerance` is negative.

    Example:
        >>> drawn, cat = np.zeros((3, 40)), np.zeros((3, 40), bool)
        >>> drawn[1, 20], cat[1, 30:] = 1, True
        >>> for tolerance in (9, 10):
        ...     score = PointingGame(tolerance)
        ...     score.update(drawn, cat, "cat")
        ...     print(score.result()["pointing_game"])
        0.0
        1.0

    References:
        Zhang et al., Top-Down Neural Attention by Excitation Backprop, IJCV 2018, section 4.2 (ECCV 2016, 5.1).
    """

    def __init__(self, tolerance: float = 15):
        if not 0 <= tolerance < np.inf:
            raise InputError(f"`tolerance` must be a number of pixels from 0; got {tolerance}; try 15")
        self.tolerance = float(tolerance)
        self._hits: dict[str, float] = {}
        self._maps: dict[str, int] = {}

    def update(self, map_hw: np.ndarray, object_hw: np.ndarray, label: str = "object") -> None:
        """Count one map.

        Args:
            map_hw: `(H, W)` real.
            object_hw: `(H, W)` bool: pixels of the class, at least one; or the filled boxes of the class.
            label: Name of the class.

        Raises:
            InputError: The map is not finite, the shapes differ, or there is no object.
        """
        values = checked(map_hw)
        truth = region("object_hw", object_hw, values.shape)
        if not truth.any():
            raise InputError("`object_hw` has no pixel of the object; do not score such maps")
        near = ndimage.distance_transform_edt(~truth) <= self.tolerance + 1e-9
        self._hits[label] = self._hits.get(label, 0.0) + float(near[values == values.max()].mean())
        self._maps[label] = self._maps.get(label, 0) + 1

    def result(self) -> dict[str, Any]:
        """Return the score.

        Returns:
            `pointing_game` (mean over the classes), `pooled` (over all maps of all classes) and `by_class` (class ->
            score), all in [0, 1]; the first two are None before anything is counted; `tolerance` and `maps`.
        """
        each = {label: self._hits[label] / count for label, count in sorted(self._maps.items())}
        maps = sum(self._maps.values())
        return {
            "pointing_game": float(np.mean(list(each.values()))) if maps else None,
            "pooled": sum(self._hits.values()) / maps if maps else None,
            "by_class": each,
            "tolerance": self.tolerance,
            "maps": maps,
        }
