"""The connected components of a mask, largest first, with their boxes."""

from dataclasses import dataclass

import numpy as np
from skimage.measure import label

from wsseg.errors import InputError


@dataclass(frozen=True)
class Components:
    """The components of a mask.

    Attributes:
        labels_hw: `(H, W)` int32: 0 outside of the mask, else the component's number, from 1.
        boxes_xyxy: `(n, 4)` int64: of component i + 1; left, top, right, bottom, right and bottom exclusive.
        areas: `(n,)` int64: pixels.
    """

    labels_hw: np.ndarray
    boxes_xyxy: np.ndarray
    areas: np.ndarray

    def keep(self, order: np.ndarray) -> "Components":
        """Return the components `order` (indices from 0) only, numbered anew in that order."""
        number = np.zeros(len(self.areas) + 1, np.int32)
        number[np.asarray(order, np.int64) + 1] = np.arange(1, len(order) + 1)
        return Components(number[self.labels_hw], self.boxes_xyxy[order], self.areas[order])


def components(mask_hw: np.ndarray) -> Components:
    """Find the connected components of a mask.

    Args:
        mask_hw: `(H, W)` bool.

    Returns:
        The components, most pixels first; of equal ones, the one whose first pixel in reading order comes
        first. Pixels are neighbours also at corners (8 neighbours).

    Raises:
        InputError: Not `(H, W)` bool with at least one pixel.

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
    # `label` numbers in reading order of the first pixel, which a stable sort keeps.
    return Components(labels, boxes, areas).keep(np.argsort(-areas, kind="stable"))
