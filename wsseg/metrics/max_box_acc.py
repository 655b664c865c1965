"""MaxBoxAccV2: the share of maps whose boxes fit a true box, at the best threshold for the dataset."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from wsseg.errors import InputError, require_whole
from wsseg.metrics.map_checks import unit_range


def box_iou(boxes_xyxy: np.ndarray, others_xyxy: np.ndarray) -> np.ndarray:
    """Return the intersection over union of each box with each other box.

    Args:
        boxes_xyxy: `(n, 4)`: left, top, right, bottom in pixels, right and bottom exclusive.
        others_xyxy: `(m, 4)`, the same.

    Returns:
        `(n, m)` float64 in [0, 1].

    Example:
        >>> box_iou(np.array([[0, 0, 2, 2]]), np.array([[1, 0, 3, 2], [5, 5, 6, 6]])).round(3).tolist()
        [[0.333, 0.0]]
    """
    one, two = np.asarray(boxes_xyxy, np.float64)[:, None], np.asarray(others_xyxy, np.float64)[None]
    sides = np.minimum(one[..., 2:], two[..., 2:]) - np.maximum(one[..., :2], two[..., :2])
    shared = np.prod(np.maximum(sides, 0), axis=-1)
    areas = [np.prod(box[..., 2:] - box[..., :2], axis=-1) for box in (one, two)]
    return shared / (areas[0] + areas[1] - shared)


class MaxBoxAcc:
    r"""MaxBoxAccV2 of Choe et al. over any number of maps.

    $BoxAcc(\tau, \delta) = \frac{1}{N} \sum_n 1[\max_{ij} IoU(box_i(s_n \geq \tau), B_{nj}) \geq \delta]$ over the
    boxes of *all* connected components of the map at level $\tau$ and all true boxes $B_{nj}$. For each $\delta$,
    the best level for the whole dataset is used, and the score is the mean over $\delta$. A map is first scaled to
    [0, 1]. The level is chosen on the same images that are scored, so this score compares maps; it does not tell how
    good boxes at a level chosen beforehand would be. The box of every component counts, so a map of many specks has
    many chances: compare with the score of noise (`wsseg.faithfulness.baselines`).

    Details: a pixel is above a level if it is strictly greater (as in the paper's code). Differences from the paper's
    code, which change the score little: boxes are those of connected components (8 neighbours; a hole has no box of
    its own), and right and bottom are exclusive.

    Args:
        ious: IoU thresholds $\delta$.
        levels: Number of levels tried: 0, 1 / levels, ..., 1 - 1 / levels (the paper's code: 1000).

    Raises:
        InputError: An IoU is outside (0, 1], or there is no level.

    Example:
        >>> score = MaxBoxAcc(levels=10)
        >>> drawn = np.zeros((4, 4))
        >>> drawn[:2, :2] = 1
        >>> score.update(drawn, [[0, 0, 2, 2]])
        >>> score.update(drawn, [[0, 0, 2, 4]])
        >>> score.result()["by_iou"]
        {'0.3': 1.0, '0.5': 1.0, '0.7': 0.5}

    References:
        Choe et al., Evaluating Weakly Supervised Object Localization Methods Right, CVPR 2020, section 4.1 and
        its extended version (arXiv:2007.04178), section 4.2.1 (V2).
    """

    def __init__(self, ious: Sequence[float] = (0.3, 0.5, 0.7), levels: int = 1000):
        if not len(ious) or not all(0 < iou <= 1 for iou in ious):
            raise InputError(f"`ious` must be in (0, 1]; got {list(ious)}; try 0.3, 0.5, 0.7")
        levels = require_whole("levels", levels, hint="try 1000")
        self.ious = tuple(float(iou) for iou in ious)
        self.levels = np.arange(levels) / levels
        self.maps = 0
        self._hits = np.zeros((len(self.ious), len(self.levels)), np.int64)

    def update(self, map_hw: np.ndarray, boxes_xyxy: np.ndarray) -> None:
        """Count one map.

        Args:
            map_hw: `(H, W)` real, of any range.
            boxes_xyxy: `(n, 4)` true boxes of the class: left, top, right, bottom in the map's pixels, right
                and bottom exclusive; at least one.

        Raises:
            InputError: The map is not `(H, W)` and finite, or there is no box, or a box has no positive width and
                height.
        """
        from wsseg.places.boxes_at_levels import boxes_at_levels  # imported here: the import takes a second

        scaled = unit_range(map_hw)
        truth = np.asarray(boxes_xyxy, np.float64)
        if truth.ndim != 2 or truth.shape[-1] != 4 or not len(truth):
            raise InputError(f"`boxes_xyxy` must be (n, 4) with n from 1; got {truth.shape}")
        if not (truth[:, 2:] > truth[:, :2]).all():
            raise InputError(
                "`boxes_xyxy` must be left, top, right, bottom with right > left and bottom > top; got "
                f"{truth[~(truth[:, 2:] > truth[:, :2]).all(axis=1)][0].tolist()}"
            )
        found = boxes_at_levels(scaled, self.levels)
        level = np.repeat(np.arange(len(found)), [len(boxes) for boxes in found])
        best = np.zeros(len(self.levels))
        if len(level):
            boxes = np.concatenate(found)
            # Most levels share boxes with the next level. Each box becomes one number: rows are slow to compare.
            _, first, index = np.unique(
                boxes @ (max(scaled.shape) + 1) ** np.arange(4), return_index=True, return_inverse=True
            )
            np.maximum.at(best, level, box_iou(boxes[first], truth).max(axis=1)[index])
        self._hits += best[None] >= np.array(self.ious)[:, None]
        self.maps += 1

    def result(self) -> dict[str, Any]:
        """Return the score.

        Returns:
            `max_box_acc_v2` (the mean over the IoUs), `by_iou` (`{"0.3": ...}`), `level_by_iou` (the best level;
            the lowest if several are best), `levels` (number of levels tried) and `maps`; scores are in [0, 1], None
            before anything is counted.
        """
        best = self._hits.max(axis=1) / self.maps if self.maps else [None] * len(self.ious)
        where = self.levels[self._hits.argmax(axis=1)] if self.maps else best
        names = [f"{iou:g}" for iou in self.ious]

        def plain(values) -> dict[str, float | None]:
            return {name: None if v is None else float(v) for name, v in zip(names, values)}

        return {
            "max_box_acc_v2": float(np.mean(best)) if self.maps else None,
            "by_iou": plain(best),
            "level_by_iou": plain(where),
            "levels": len(self.levels),
            "maps": self.maps,
        }
