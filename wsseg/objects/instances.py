"""The objects of one image: their classes, boxes, masks and scores. NumPy only."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from wsseg.errors import InputError


@dataclass(frozen=True)
class Instances:
    """True or predicted objects of one image, any number of them.

    Attributes:
        class_ids: `(N,) int32`: mask ids of the classes, 1..K.
        boxes_xyxy: `(N, 4) float32`: left, top, right, bottom in pixels, from edge to edge: the box of the top left
            pixel is 0, 0, 1, 1.
        size_hw: Height and width of the image.
        masks: `(N, H, W) bool`, or None if there are no masks.
        scores: `(N,) float32` in [0, 1], or None for true objects.
        crowd: `(N,) bool`: regions of many objects; COCO neither rewards nor penalises detections of them.

    Raises:
        InputError: The arrays have other shapes.

    Example:
        >>> masks = np.zeros((1, 4, 6), bool)
        >>> masks[0, 1:3, 2:5] = True
        >>> found = Instances.of_masks(masks, [2])
        >>> found.boxes_xyxy.tolist(), len(found), found.crowd.tolist()
        ([[2.0, 1.0, 5.0, 3.0]], 1, [False])
    """

    class_ids: np.ndarray
    boxes_xyxy: np.ndarray
    size_hw: tuple[int, int]
    masks: np.ndarray | None = None
    scores: np.ndarray | None = None
    crowd: np.ndarray | None = None

    def __post_init__(self) -> None:
        ids = np.asarray(self.class_ids, np.int32).reshape(-1)
        count, size_hw = len(ids), tuple(int(side) for side in self.size_hw)
        self._set("class_ids", ids)
        self._set("size_hw", size_hw)
        self._set("boxes_xyxy", np.asarray(self.boxes_xyxy, np.float32).reshape(-1, 4))
        self._set("crowd", np.zeros(count, bool) if self.crowd is None else np.asarray(self.crowd, bool))
        if self.masks is not None:
            self._set("masks", np.asarray(self.masks, bool).reshape(-1, *size_hw))
        if self.scores is not None:
            self._set("scores", np.asarray(self.scores, np.float32).reshape(-1))
        for name in ("boxes_xyxy", "masks", "scores", "crowd"):
            value = getattr(self, name)
            if value is not None and len(value) != count:
                raise InputError(
                    f"`{name}` has {len(value)} rows for {count} `class_ids`; expected one row per class id"
                )

    def _set(self, name: str, value: object) -> None:
        object.__setattr__(self, name, value)

    def __len__(self) -> int:
        return len(self.class_ids)

    @classmethod
    def of_masks(
        cls,
        masks: np.ndarray,
        class_ids: Sequence[int] | np.ndarray,
        scores: np.ndarray | None = None,
        crowd: np.ndarray | None = None,
    ) -> "Instances":
        """Make instances from masks `(N, H, W) bool`, with tight boxes; an empty mask has the box 0, 0, 0, 0."""
        masks = np.asarray(masks, bool)
        return cls(class_ids, boxes_of_masks(masks), masks.shape[1:], masks, scores, crowd)

    def where(self, kept: np.ndarray) -> "Instances":
        """Return the objects selected by an index array (in its order) or a boolean array."""
        rows = np.arange(len(self))[kept]
        parts = (self.masks, self.scores, self.crowd)
        masks, scores, crowd = (None if part is None else part[rows] for part in parts)
        return Instances(self.class_ids[rows], self.boxes_xyxy[rows], self.size_hw, masks, scores, crowd)


def boxes_of_masks(masks: np.ndarray) -> np.ndarray:
    """Return the smallest boxes around masks.

    Args:
        masks: `(N, H, W)` bool.

    Returns:
        `(N, 4) float32`: left, top, right, bottom, edge to edge; zeros for an empty mask.
    """
    boxes = np.zeros((len(masks), 4), np.float32)
    for row, mask in enumerate(masks):
        down, right = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
        if len(down):
            boxes[row] = right[0], down[0], right[-1] + 1, down[-1] + 1
    return boxes


def instances_of_maps(numbers: np.ndarray, classes: np.ndarray) -> Instances:
    """Make instances from an instance map and a class map, the format of VOC.

    The class of an instance is the most frequent class of its pixels; an instance without a pixel of a class is left
    out.

    Args:
        numbers: `(H, W)` int: instance of each pixel; 0 and 255 are no instance.
        classes: `(H, W)` int mask: 0 = background, 1..K, 255 = ignore.

    Example:
        >>> found = instances_of_maps(np.array([[1, 1, 2, 255]]), np.array([[3, 3, 0, 255]]))
        >>> found.class_ids.tolist(), found.boxes_xyxy.tolist()
        ([3], [[0.0, 0.0, 2.0, 1.0]])
    """
    if numbers.shape != classes.shape:
        raise InputError(f"instance map {numbers.shape} and class map {classes.shape} differ in size (H, W)")
    masks, ids = [], []
    for number in np.setdiff1d(numbers, (0, 255)):
        mask = numbers == number
        inside = classes[mask]
        inside = inside[(inside > 0) & (inside < 255)]
        if len(inside):
            masks.append(mask)
            ids.append(int(np.bincount(inside).argmax()))
    return Instances.of_masks(np.array(masks, bool).reshape(-1, *numbers.shape), ids)
