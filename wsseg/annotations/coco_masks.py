"""Masks in COCO's annotation form: one region per class and image, as compressed run lengths."""

import json
from array import array
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from wsseg.annotations.cvat_masks import ids_of_labels, ignore_label
from wsseg.artifacts import IGNORE, write_atomically
from wsseg.errors import InputError
from wsseg.objects.coco_annotations import CocoImage, CocoIndex, read_index
from wsseg.objects.run_length import decode_mask, encode_masks


def write_coco(path: Path, classes: Sequence[str], masks: Iterable[tuple[str, np.ndarray]]) -> int:
    """Write masks as one JSON file with `images`, `annotations` and `categories`.

    Each class of an image is one region with `iscrowd: 1`: COCO's form for run lengths, and for pixels of a class whose
    objects are not told apart. 255 is a region of a category of its own (`cvat_masks.ignore_label`). Pixels in no
    region are background, so an image without regions is all background.

    Args:
        path: The JSON file.
        classes: Foreground classes, in mask-id order; category ids are the mask ids 1..K.
        masks: Name of the image file, and mask `(H, W) uint8`, for each image.

    Returns:
        Number of masks.
    """
    images: list[dict[str, Any]] = []
    annotations: list[dict[str, Any]] = []
    for file_name, mask in masks:
        height, width = mask.shape
        images.append({"id": len(images) + 1, "file_name": file_name, "height": height, "width": width})
        for id in (int(one) for one in np.unique(mask) if one):
            inside = mask == id
            rows, columns = np.flatnonzero(inside.any(axis=1)), np.flatnonzero(inside.any(axis=0))
            left, top = int(columns[0]), int(rows[0])
            annotations.append(
                {
                    "id": len(annotations) + 1,
                    "image_id": len(images),
                    "category_id": _category(id, classes),
                    "segmentation": encode_masks(inside[None])[0],
                    "area": int(inside.sum()),
                    "bbox": [left, top, int(columns[-1]) + 1 - left, int(rows[-1]) + 1 - top],
                    "iscrowd": 1,
                }
            )
    names = [*classes, ignore_label(classes)]
    categories = [
        {"id": number, "name": name, "supercategory": ""} for number, name in enumerate(names, start=1)
    ]
    content = {"images": images, "annotations": annotations, "categories": categories}
    write_atomically(path, lambda file: file.write(json.dumps(content).encode()))
    return len(images)


def _category(id: int, classes: Sequence[str]) -> int:
    return len(classes) + 1 if id == IGNORE else id


def read_coco(path: Path) -> CocoIndex:
    """Read an annotation file whose every annotation can be used as a mask.

    Raises:
        InputError: The file is broken, or an annotation has no mask or a broken one; the message names it.
    """
    index = read_index(path)
    if index.left_out:
        first, reason = next(iter(index.left_out.items()))
        raise InputError(
            f"{path}: {len(index.left_out)} annotations cannot be used, such as {first}: {reason}; mend or remove them"
        )
    if index.repeated:
        raise InputError(f"{path} names two images `{index.repeated[0]}`; remove one of the two")
    if not index.segmented and any(image.objects for image in index.images.values()):
        raise InputError(f"{path} has boxes alone; expected `segmentation` in its annotations")
    return index


def draw_coco(index: CocoIndex, image: CocoImage, classes: Sequence[str], name: str) -> np.ndarray:
    """Draw the regions of one image into a mask.

    Regions with `iscrowd: 1` lie behind single objects. Among either, the smaller region is in front; if two are
    equally large, the later one.

    Args:
        index: Content of the file.
        image: The image.
        classes: Foreground classes, in mask-id order. Categories are matched to them by name.
        name: Name of the file and image in messages.

    Returns:
        `(H, W) uint8`: 0 = background, 1..K, 255 = ignore.

    Raises:
        InputError: A category is no class, or run lengths are broken.
    """
    known = ids_of_labels(classes)
    regions = []
    for found in image.objects:
        category = index.categories[found.category]
        if category not in known:
            raise InputError(
                f"{name} has the category `{category}`, which is not a class of this run; rename the category, or give "
                "these pixels another"
            )
        try:
            inside = decode_mask(_as_json(found.segmentation), image.size_hw)
        except InputError as error:
            raise InputError(f"{name}: {error}") from error
        regions.append((not found.crowd, -int(inside.sum()), known[category], inside))
    mask = np.zeros(image.size_hw, np.uint8)
    for _, _, id, inside in sorted(regions, key=lambda region: region[:2]):
        mask[inside] = id
    return mask


def _as_json(segmentation: Any) -> Any:
    if isinstance(segmentation, list):
        return [list(polygon) if isinstance(polygon, array) else polygon for polygon in segmentation]
    return segmentation
