"""Places of a map: masks of its connected components above a level."""

from dataclasses import dataclass

import numpy as np

from wsseg.errors import InputError, nearest, require_whole
from wsseg.places.components import components as components_of
from wsseg.places.map_checks import checked_map
from wsseg.places.map_level import map_level

COMPONENTS = ("all", "largest")
SCORES = ("mean", "max")


@dataclass(frozen=True)
class Places:
    """The places of a map, highest score first.

    Attributes:
        boxes_xyxy: `(n, 4)` int64: left, top, right, bottom in pixels, right and bottom exclusive.
        scores: `(n,)` float32 in [0, 1]: mean or highest value of the map inside the place.
        areas: `(n,)` int64: number of pixels.
        labels_hw: `(H, W)` int32: i + 1 inside place i, 0 outside all places.
        level: The level used; the map is above it inside every place.
    """

    boxes_xyxy: np.ndarray
    scores: np.ndarray
    areas: np.ndarray
    labels_hw: np.ndarray
    level: float

    @property
    def masks(self) -> np.ndarray:
        """`(n, H, W)` bool: one mask per place; masks do not overlap."""
        return self.labels_hw == np.arange(1, len(self.areas) + 1)[:, None, None]


def masks_from_map(
    map_hw: np.ndarray,
    level: float | str = "otsu",
    components: str = "all",
    min_area: int = 1,
    score: str = "mean",
) -> Places:
    """Return the connected components of a map above a level.

    Args:
        map_hw: `(H, W)` float in [0, 1], such as a map of an explainer.
        level: Level in [0, 1], or "otsu" (see `map_level`). A pixel belongs to a place if the map is strictly above it.
        components: "all" (known as "all contours") or "largest", the component with the most pixels.
        min_area: Minimum area in pixels; smaller components are dropped.
        score: "mean" of the map inside the component, or its "max". Places are ordered by score, highest
            first; places of equal score by area, largest first, then by their first pixel in reading order.

    Returns:
        The places; none if nothing is above the level.

    Raises:
        InputError: The map, the level, a choice or the area is invalid.

    Example:
        >>> values = np.array([[0.4, 0.4, 0.0, 0.9], [0.4, 0.0, 0.0, 0.0]])
        >>> found = masks_from_map(values, level=0.3)
        >>> found.boxes_xyxy.tolist(), found.scores.round(2).tolist()
        ([[3, 0, 4, 1], [0, 0, 2, 2]], [0.8999999761581421, 0.4000000059604645])
        >>> masks_from_map(values, level=0.3, components="largest").masks.astype(int).tolist()
        [[[1, 1, 0, 0], [1, 0, 0, 0]]]

    Notes:
        Pixels that touch at a corner are neighbours, as in OpenCV's contours. The largest component is the one with
        the most pixels; Choe et al.'s code takes the contour with the largest enclosed polygon, including holes.

    References:
        Choe et al., Evaluating Weakly Supervised Object Localization Methods Right, CVPR 2020.
    """
    values = checked_map(map_hw)
    for name, given, choices in (("components", components, COMPONENTS), ("score", score, SCORES)):
        if given not in choices:
            raise InputError(f"unknown `{name}` {given!r}; {nearest(str(given), choices)}")
    require_whole("min_area", min_area, hint="try 1")
    used = map_level(values, level)
    found = components_of(values > np.float32(used))
    found = found.keep(np.flatnonzero(found.areas >= min_area)[: 1 if components == "largest" else None])
    inside = found.labels_hw > 0
    rows = found.labels_hw[inside] - 1
    if score == "mean":
        scores = np.bincount(rows, values[inside], minlength=len(found.areas)) / found.areas
    else:
        scores = np.zeros(len(found.areas))
        np.maximum.at(scores, rows, values[inside])
    scores = scores.astype(np.float32)
    order = np.argsort(-scores, kind="stable")
    found = found.keep(order)
    return Places(found.boxes_xyxy, scores[order], found.areas, found.labels_hw, used)
