"""Boxes of a map at many levels at once, from its component tree."""

from collections.abc import Sequence

import numpy as np
from skimage.morphology import max_tree

from wsseg.places.map_checks import checked_levels, checked_map


def boxes_at_levels(map_hw: np.ndarray, levels: Sequence[float]) -> list[np.ndarray]:
    """Return the tight boxes of the connected components above each of many levels.

    A component at a high level lies inside a component at each lower level, so all components form a tree. The tree
    is built once: a thousand levels cost little more than ten. The boxes of each level are those of `boxes_from_map`.

    Args:
        map_hw: `(H, W)` float in [0, 1].
        levels: Levels in [0, 1], in any order. A pixel belongs to the mask of a level if the map is strictly
            above it, as in `cv2.threshold` and `wsseg.refiners.with_background`; both are compared as float32.

    Returns:
        For each level `(n, 4)` int64: left, top, right, bottom in pixels, right and bottom exclusive. The
        largest component (most pixels) comes first, so that `[:1]` is the "largest contour" and the whole
        array "all contours". Components of equal size are ordered by their first pixel in reading order. Pixels
        that touch at a corner are neighbours (8 neighbours). `(0, 4)` if nothing is above the level.

    Raises:
        InputError: The map is not `(H, W)` float in [0, 1], or a level is outside [0, 1].

    Example:
        >>> values = np.array([[0.9, 0.2, 0.0, 0.6], [0.9, 0.0, 0.0, 0.0]])
        >>> for boxes in boxes_at_levels(values, [0.1, 0.5, 0.7, 0.95]):
        ...     print(boxes.tolist())
        [[0, 0, 2, 2], [3, 0, 4, 1]]
        [[0, 0, 1, 2], [3, 0, 4, 1]]
        [[0, 0, 1, 2]]
        []

    Notes:
        Choe et al.'s code uses OpenCV's contours instead. There, a hole has its own contour (and so a box),
        and the largest contour encloses the largest polygon, including holes. For components without holes,
        the results are the same.

    References:
        Choe et al., Evaluating Weakly Supervised Object Localization Methods Right, CVPR 2020 (boxes from the
        largest component, or from all). Salembier et al., Antiextensive Connected Operators for Image and
        Sequence Processing, IEEE TIP 1998 (the tree)†.
    """
    values, wanted = checked_map(map_hw), checked_levels(levels)
    distinct, index_of = np.unique(wanted, return_inverse=True)
    # Number of levels below each pixel's value; the masks depend on nothing else.
    heights = np.searchsorted(distinct, values, side="left").astype(np.int32)
    nodes = _component_nodes(heights)
    # A node is a component at the levels from its parent's height (exclusive) up to its own.
    lifetimes = nodes.height - nodes.parent_height
    which = np.repeat(np.arange(len(lifetimes)), lifetimes)
    offset = np.arange(len(which)) - np.repeat(np.cumsum(lifetimes) - lifetimes, lifetimes)
    level = nodes.parent_height[which] + offset
    order = np.lexsort((nodes.first[which], -nodes.area[which], level))
    boxes = nodes.boxes_xyxy[which[order]]
    ends = np.cumsum(np.bincount(level, minlength=len(distinct)))
    parts = np.split(boxes, ends[:-1]) if len(distinct) else []
    return [parts[i] for i in index_of]


class _Nodes:
    """The component tree's nodes above height 0, one per row."""

    def __init__(self, height, parent_height, area, first, boxes_xyxy):
        self.height, self.parent_height, self.area, self.first = height, parent_height, area, first
        self.boxes_xyxy = boxes_xyxy


def _component_nodes(heights: np.ndarray) -> _Nodes:
    """Return each distinct component of `heights >= h` over all h > 0, with its box."""
    # A border of height 0 puts the root outside the map, even if the whole map is above a level.
    # Also, `max_tree` fails on a map of one row or one column.
    padded = np.pad(heights, ((0, 2), (0, 2)))
    width = padded.shape[1]
    parent, _ = max_tree(padded, connectivity=2)
    parent, flat = parent.ravel(), padded.ravel()
    # A component is represented by its canonical pixel, whose parent has another height. The parent of every other
    # pixel has the same height and is the canonical pixel.
    pixels = np.flatnonzero(flat)
    is_node = flat[parent] != flat
    node_of = np.where(is_node, np.arange(len(flat)), parent)[pixels]
    nodes = np.flatnonzero(is_node)
    row_of = np.empty(len(flat), np.int64)
    row_of[nodes] = np.arange(len(nodes))
    rows = row_of[node_of]
    y, x = np.divmod(pixels, width)

    count = len(nodes)
    area = np.bincount(rows, minlength=count)
    low = np.full((3, count), flat.size, np.int64)  # left, top, first pixel
    high = np.full((2, count), -1, np.int64)  # right, bottom
    for target, source in zip(low, (x, y, pixels)):
        np.minimum.at(target, rows, source)
    for target, source in zip(high, (x, y)):
        np.maximum.at(target, rows, source)

    # Each node adds its values to its parent, highest nodes first, so that a node is complete before it is added.
    height, above = flat[nodes], parent[nodes]
    order = np.argsort(-height, kind="stable")
    order = order[flat[above[order]] > 0]
    starts = np.flatnonzero(np.diff(height[order], prepend=-1))
    for group in np.split(order, starts[1:]) if len(order) else []:
        to = row_of[above[group]]
        np.add.at(area, to, area[group])
        for target in low:
            np.minimum.at(target, to, target[group])
        for target in high:
            np.maximum.at(target, to, target[group])
    boxes = np.stack([low[0], low[1], high[0] + 1, high[1] + 1], axis=1)
    return _Nodes(height, flat[above], area, low[2], boxes)
