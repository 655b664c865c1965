"""The true objects of a COCO annotation file, as `wsseg evaluate` scores detections against them."""

import functools
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from wsseg.errors import InputError
from wsseg.objects.coco_annotations import CocoIndex, read_index
from wsseg.objects.coco_drawing import instances_of_objects
from wsseg.objects.coco_values import id_of, stem_of
from wsseg.objects.instances import Instances


@dataclass(frozen=True)
class CocoObjects:
    """True objects of all categories of an annotation file.

    Attributes:
        index: Content of the file.
    """

    index: CocoIndex

    @functools.cached_property
    def class_ids(self) -> dict[int, int]:
        """`category_id` -> class id, 1..K, in increasing order."""
        return {category: class_id for class_id, category in enumerate(self.index.categories, start=1)}

    @functools.cached_property
    def _names(self) -> dict[str, list[int | str]]:
        names: dict[str, list[int | str]] = {}
        for identity, image in self.index.images.items():
            for name in {image.file_name, stem_of(image.file_name)} - {""}:
                names.setdefault(name, []).append(identity)
        return names

    def find(self, image_id: Any) -> tuple[int | str | None, str]:
        """Return the id of the image that predictions name, and ""; or None and the reason.

        An image is named by its id, or else by its file name or the stem of it. An id has priority over a name.
        """
        found = id_of(image_id)
        if found in self.index.images:
            return found, ""
        named = self._names.get(str(image_id), [])
        if len(named) == 1:
            return named[0], ""
        if named:
            return (
                None,
                f"{len(named)} images of {self.index.path} have the name {image_id!r}; name them by their ids",
            )
        first = next(iter(self.index.images))
        count = len(self.index.images)
        return None, f"{self.index.path} has no image {image_id!r}; it has {count} images, such as {first!r}"

    def instances(self, image_id: int | str) -> tuple[Instances, Instances, list[float]]:
        """Return the objects of an image: for the rows of boxes and for those of masks, and their areas.

        An object without a usable outline is one like others in the rows of boxes, and a crowd in those of masks. One
        without a box either is a crowd in both. The areas are those stated in the file, as COCO's code takes them, in
        both rows; where none is stated, that of the mask, or of the box if there are no masks.
        """
        image = self.index.images[image_id]
        objects = image.objects
        found = instances_of_objects(objects, self.class_ids, image.size_hw, self.index.segmented, clip=False)
        boxes = replace(found, crowd=np.array([one.crowd or one.box_xyxy is None for one in objects], bool))
        if found.masks is None:
            left, top, right, bottom = found.boxes_xyxy.astype(np.float64).T
            measured = ((right - left) * (bottom - top)).tolist()
        else:
            measured = [float(np.count_nonzero(mask)) for mask in found.masks]
        areas = [
            known if one.area is None else one.area for one, known in zip(objects, measured, strict=True)
        ]
        return boxes, found, areas


def read_truth(path: Path) -> CocoObjects:
    """Read a COCO annotation file.

    Raises:
        InputError: The file is missing or broken, or has nothing to score.
    """
    index = read_index(path)
    if not index.images:
        raise InputError(f"{path} has 0 images and {len(index.categories)} categories; nothing to score")
    return CocoObjects(index)
