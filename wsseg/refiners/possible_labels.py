"""The labels that each pixel may have, according to annotated points, scribbles or boxes."""

import numpy as np

from wsseg.artifacts import IGNORE, ClassMaps
from wsseg.errors import InputError
from wsseg.objects.instances import Instances


def possible_labels(class_ids: np.ndarray, marks: np.ndarray | None, boxes: Instances | None) -> np.ndarray:
    """Return the labels that the annotations allow at each pixel.

    A marked pixel has its mark's label and no other. With boxes, a class is possible only at pixels whose centre is
    inside one of its boxes; a class without a box is impossible everywhere. The background is possible at every pixel
    that is not marked as a class.

    Args:
        class_ids: `(C,) int`: Ids of the classes that have maps, 1..K.
        marks: `(H, W) uint8`: 0 = background, one of `class_ids`, 255 = unmarked; None without marks.
        boxes: Boxes of any classes; None without boxes.

    Returns:
        `(C + 1, H, W) bool`, background first; at least one label is possible at each pixel.

    Raises:
        InputError: Neither marks nor boxes are given, or a marked class has no map.

    Example:
        >>> possible_labels(np.array([4]), np.array([[0, 4, 255]], np.uint8), None)[:, 0].tolist()
        [[True, False, True], [False, True, True]]
        >>> possible_labels(np.array([4]), None, Instances([4], [[1, 0, 2, 1]], (1, 3)))[:, 0].tolist()
        [[True, True, True], [False, True, False]]
    """
    if marks is None and boxes is None:
        raise InputError("`marks` or `boxes` must be given; got neither")
    ids = np.concatenate([[0], np.asarray(class_ids, np.int64)])
    possible = np.ones((len(ids), *(boxes.size_hw if marks is None else marks.shape)), bool)
    if boxes is not None:
        possible[1:] = False
        rows, columns = (np.arange(side) + 0.5 for side in boxes.size_hw)
        for class_id, (left, top, right, bottom) in zip(boxes.class_ids, boxes.boxes_xyxy):
            down = (rows > top) & (rows < bottom)
            inside = down[:, None] & (columns > left) & (columns < right)
            possible[1:][ids[1:] == class_id] |= inside
    if marks is not None:
        marked = marks != IGNORE
        if unknown := set(np.unique(marks[marked]).tolist()) - set(ids.tolist()):
            raise InputError(f"`marks` hold {sorted(unknown)}, which have no maps; see `with_marked`")
        possible[:, marked] = marks[marked] == ids[:, None]
    return possible


def with_marked(class_maps: ClassMaps, marks: np.ndarray) -> ClassMaps:
    """Add an empty map for each marked class that has none, as it is missing in the image-level labels.

    Args:
        class_maps: Class maps of the image-level labels.
        marks: `(H, W) uint8`: 0 = background, 1..K, 255 = unmarked.

    Example:
        >>> maps = ClassMaps(np.array([2]), np.ones((1, 1, 2), np.float32), (1, 2))
        >>> with_marked(maps, np.array([[5, 255]], np.uint8)).class_ids.tolist()
        [2, 5]
    """
    more = np.setdiff1d(marks, [0, IGNORE, *np.asarray(class_maps.class_ids)])
    if not len(more):
        return class_maps
    empty = np.zeros((len(more), *class_maps.maps.shape[1:]), np.float32)
    ids = np.concatenate([class_maps.class_ids, more]).astype(np.int32)
    return ClassMaps(ids, np.concatenate([class_maps.maps, empty]), class_maps.size_hw)
