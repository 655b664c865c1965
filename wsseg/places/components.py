"""The connected components of a mask, largest first, with their boxes."""

from dataclasses import dataclass

import numpy as np
from skimage.measure import label

from wsseg.errors import InputError


@dataclass(frozen=True)
class Components:
    """The components of a mask.

    Attributes:
        labels_hw: `(H, W)` int32: 0 outside the mask, else the component's number, from 1.
        boxes_xyxy: `(n, 4)` int64: left, top, right, bottom in pixels, right and bottom exclusive; row i belongs to
            component i + 1.
        areas: `(n,)` int64: number of pixels.
    """

    labels_hw: np.ndarray
    boxes_xyxy: np.ndarray
    areas: np.ndarray

    def keep(self, order: np.ndarray) -> "Components":
        """Return only the components `order` (indices from 0), renumbered in that order."""
        number = np.zeros(len(self.areas) + 1, np.int32)
        number[np.asarray(order, np.int64) + 1] = np.arange(1, len(order) + 1)
        return Components(number[self.labels_hw], self.boxes_xyxy[order], self.areas[order])


def components(mask_hw: np.ndarray) -> Components:
    """Find the connected components of a mask.

    Args:
        mask_hw: `(H, W)` bool.

    Returns:
        The components, most pixels first; components of equal size are ordered by their first pixel in reading
        order. Pixels that touch at a corner are neighbours (8 neighbours).

    Raises:
        InputError: `mask_hw` is not `(H, W)` bool, or H or W is 0.

    Example:
        >>> found = components(np.array([[1, 0, 0, 1], [0, 0, 1, 0]], bool))
        >>> found.boxes_xyxy.tolist(), found.areas.tolist()
        ([[2, 0, 4, 2], [0, 0, 1, 1]], [2, 1])
    """
    mask = np.asarray(mask_hw)
    if mask.ndim != 2 or mask.dtype != bool or not mask.size:
        raise InputError(
            f"`mask_hw` must be (H, W) bool with at least one pixel; got {mask.shape} {mask.dtype}; "
            "try `map > level`"
        )
    labels, count = label(mask, connectivity=2, return_num=True)
    labels = labels.astype(np.int32, copy=False)
    y, x = np.nonzero(mask)
    rows = labels[y, x] - 1
    areas = np.bincount(rows, minlength=count)
    low, high = np.full((2, count), mask.size, np.int64), np.full((2, count), -1, np.int64)
    for axis, positions in enumerate((x, y)):
        np.minimum.at(low[axis], rows, positions)
        np.maximum.at(high[axis], rows, positions)
    boxes = np.concatenate([low, high + 1]).T
    # `label` numbers components in reading order of their first pixel; a stable sort keeps this order.
    return Components(labels, boxes, areas).keep(np.argsort(-areas, kind="stable"))
