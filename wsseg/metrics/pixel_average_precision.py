"""PxAP: the area under the precision-recall curve of all pixels of all maps."""

from typing import Any

import numpy as np

from wsseg.errors import require_whole
from wsseg.metrics.map_checks import region, unit_range


class PixelAveragePrecision:
    r"""PxAP of Choe et al. over any number of maps.

    Each map is scaled to [0, 1]; then precision and recall at a threshold are computed over the pixels of *all* maps
    together: $PxAP = \sum_l PxPrec(\tau_l) (PxRec(\tau_l) - PxRec(\tau_{l-1}))$ with falling $\tau_l$. Pixels are
    counted in a histogram, so memory does not grow with their number; for this, scores are rounded down to a multiple
    of 1 / levels.

    Args:
        levels: Number of thresholds between 0 and 1 (the paper's code: 1000).

    Raises:
        InputError: `levels` is not a positive whole number.

    Example:
        >>> score = PixelAveragePrecision()
        >>> score.update(np.array([[0.1, 0.4], [0.35, 0.8]]), np.array([[False, False], [True, True]]))
        >>> round(score.result()["pxap"], 4)
        0.8333

    References:
        Choe et al., Evaluating Weakly Supervised Object Localization Methods Right, CVPR 2020, section 4.1.
    """

    def __init__(self, levels: int = 1000):
        self.levels = require_whole("levels", levels, hint="try 1000")
        self.maps = 0
        # Rows: not the object, the object. Columns: the score's level, 0..levels.
        self._counts = np.zeros((2, self.levels + 1), np.int64)

    def update(self, map_hw: np.ndarray, object_hw: np.ndarray, ignored_hw: np.ndarray | None = None) -> None:
        """Count the pixels of one map.

        Args:
            map_hw: `(H, W)` real, of any range.
            object_hw: `(H, W)` bool: pixels of the class.
            ignored_hw: `(H, W)` bool: pixels that do not count; None if all count.

        Raises:
            InputError: The map is not finite, or the shapes differ.
        """
        scaled = unit_range(map_hw).astype(np.float64)
        truth = region("object_hw", object_hw, scaled.shape)
        # A float32 such as 0.35 differs a little from its level.
        level = np.floor(scaled * self.levels + 1e-4).astype(np.int64).clip(0, self.levels)
        index = truth * (self.levels + 1) + level
        if ignored_hw is not None:
            index = index[~region("ignored_hw", ignored_hw, scaled.shape)]
        self._counts += np.bincount(index.ravel(), minlength=self._counts.size).reshape(self._counts.shape)
        self.maps += 1

    def result(self) -> dict[str, Any]:
        """Return the score.

        Returns:
            `pxap` in [0, 1] (None if no pixel belongs to an object), `object_share` (the score of constant maps),
            `levels` and `maps`.
        """
        others, hits = self._counts[:, ::-1].cumsum(axis=1)
        chosen = hits + others
        settings = {"levels": self.levels, "maps": self.maps}
        if not hits[-1]:
            return {"pxap": None, "object_share": None} | settings
        precision = hits / np.maximum(chosen, 1)
        gained = np.diff(hits, prepend=0) / hits[-1]
        return {"pxap": float(precision @ gained), "object_share": float(hits[-1] / chosen[-1])} | settings
