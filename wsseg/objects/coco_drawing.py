"""Masks and boxes of the objects of one image of a COCO annotation file."""

from array import array
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from wsseg.artifacts import IGNORE
from wsseg.objects.coco_annotations import CocoImage, CocoObject
from wsseg.objects.coco_outlines import clipped
from wsseg.objects.instances import Instances
from wsseg.objects.run_length import decode_mask


def outlined_pixels(found: CocoObject, size_hw: tuple[int, int]) -> np.ndarray | None:
    """Return the pixels of an object's outline, `(H, W) bool`; None if it has no usable outline."""
    return None if found.segmentation is None else decode_mask(_as_json(found.segmentation), size_hw)


def region_pixels(found: CocoObject, size_hw: tuple[int, int]) -> np.ndarray:
    """Return all pixels that an object's region touches, `(H, W) bool`; see `region_of`."""
    pixels = np.zeros(size_hw, bool)
    left, top, right, bottom = region_of(found, size_hw)
    pixels[int(top) : int(np.ceil(bottom)), int(left) : int(np.ceil(right))] = True
    return pixels


def region_of(found: CocoObject, size_hw: tuple[int, int]) -> tuple[float, float, float, float]:
    """Return an object's box, clipped to the image; without a box, its place; without that, the whole image."""
    box = found.place_xyxy if found.box_xyxy is None else found.box_xyxy
    box = None if box is None else clipped(box, size_hw)
    return (0.0, 0.0, float(size_hw[1]), float(size_hw[0])) if box is None else box


def mask_of_objects(image: CocoImage, ids: Mapping[int, int]) -> np.ndarray:
    """Draw an image's objects into one mask.

    Where objects overlap, the smaller one is in front; if two are equally large, the later one. Where there is no
    single object, pixels are ignored (255) in a crowd, in the box of an object whose outline is not usable or covers no
    pixel, and without a box about where it is (`region_of`).

    Args:
        image: The image.
        ids: Category id -> id in the mask; crowds and boxes of 0 are not drawn.

    Returns:
        `(H, W) uint8`.
    """
    mask = np.zeros(image.size_hw, np.uint8)
    single = []
    for found in image.objects:
        pixels = outlined_pixels(found, image.size_hw)
        known = pixels is not None and pixels.any()
        if known and not found.crowd:
            single.append((int(pixels.sum()), ids[found.category], pixels))
        elif ids[found.category]:
            mask[pixels if known else region_pixels(found, image.size_hw)] = IGNORE
    for _, number, pixels in sorted(single, key=lambda item: -item[0]):
        mask[pixels] = number
    return mask


def instances_of_objects(
    objects: Sequence[CocoObject],
    ids: Mapping[int, int],
    size_hw: tuple[int, int],
    masks: bool,
    clip: bool = True,
) -> Instances:
    """Return objects in the order of the file.

    An object without a usable outline, where masks are asked for, and one without a box, where boxes are, is a crowd:
    detections of it neither count for nor against.

    Args:
        objects: The objects.
        ids: Category id -> class id.
        size_hw: Height and width of the image.
        masks: Whether to draw the masks.
        clip: Whether to clip the boxes to the image.
    """
    boxes = [
        found.box_xyxy if found.box_xyxy is not None and not clip else region_of(found, size_hw)
        for found in objects
    ]
    crowd = np.array([found.crowd or found.box_xyxy is None for found in objects], bool)
    result = Instances(
        [ids[found.category] for found in objects], np.array(boxes, np.float64), size_hw, crowd=crowd
    )
    if not masks:
        return result
    # Column by column in memory, like run lengths: encoding is several times faster.
    drawn = np.zeros((len(objects), *size_hw[::-1]), bool).swapaxes(1, 2)
    for row, found in enumerate(objects):
        pixels = outlined_pixels(found, size_hw)
        drawn[row] = region_pixels(found, size_hw) if pixels is None else pixels
        crowd[row] |= pixels is None
    return replace(result, masks=drawn, crowd=crowd)


def _as_json(segmentation: Any) -> Any:
    if isinstance(segmentation, list):
        return [list(polygon) if isinstance(polygon, array) else polygon for polygon in segmentation]
    return segmentation
