"""Boxes of the connected components of a map above a level."""

import numpy as np

from wsseg.places.masks_from_map import masks_from_map


def boxes_from_map(
    map_hw: np.ndarray,
    level: float | str = "otsu",
    components: str = "all",
    min_area: int = 1,
    score: str = "mean",
) -> tuple[np.ndarray, np.ndarray]:
    """Return the tight boxes of the connected components of a map above a level, and their scores.

    Args:
        map_hw: `(H, W)` float in [0, 1].
        level: Level in [0, 1], or "otsu"; see `masks_from_map`, also for the other arguments.
        components: "all" or "largest".
        min_area: Minimum area of a component (not of its box) in pixels.
        score: Score of a component: "mean" or "max" of the map inside it.

    Returns:
        `boxes_xyxy` `(n, 4)` int64 (left, top, right, bottom in pixels, right and bottom exclusive) and
        `scores` `(n,)` float32, highest score first.

    Raises:
        InputError: See `masks_from_map`.

    Example:
        >>> values = np.array([[0.4, 0.4, 0.0, 0.9], [0.4, 0.0, 0.0, 0.0]])
        >>> boxes, scores = boxes_from_map(values, level=0.3)
        >>> boxes.tolist()
        [[3, 0, 4, 1], [0, 0, 2, 2]]
        >>> boxes_from_map(values, level=0.3, components="largest")[0].tolist()
        [[0, 0, 2, 2]]

    References:
        Choe et al., Evaluating Weakly Supervised Object Localization Methods Right, CVPR 2020.
    """
    found = masks_from_map(map_hw, level, components, min_area, score)
    return found.boxes_xyxy, found.scores
