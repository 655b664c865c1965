"""Masks and objects of COCO images, drawn from the annotations on request."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from wsseg.artifacts import IGNORE
from wsseg.datasets.record import Record
from wsseg.errors import InputError
from wsseg.image_files import image_size_hw
from wsseg.objects.coco_annotations import CocoImage, read_index
from wsseg.objects.coco_drawing import instances_of_objects, mask_of_objects
from wsseg.objects.instances import Instances


@dataclass(frozen=True)
class CocoTruth:
    """Reader of masks and objects from an annotation file.

    It holds the path of the file, not the content, so that little is sent to worker processes; each process reads the
    file once.

    Attributes:
        path: The annotation file.
        ids: Category id -> mask id of the dataset: 1..K, or 0 or 255 for other objects.
    """

    path: Path
    ids: Mapping[int, int]

    def read_mask(self, record: Record) -> np.ndarray:
        """Draw an image's objects into one mask, see `wsseg.objects.coco_drawing.mask_of_objects`.

        Returns:
            `(H, W) uint8` in the dataset's ids, in the size that the file states.
        """
        image = self._image(record)
        if image.size_hw != image_size_hw(record.image):
            return np.broadcast_to(
                np.uint8(0), image.size_hw
            )  # nothing is drawn in a size that will be refused
        return mask_of_objects(image, self.ids)

    def read_instances(self, record: Record) -> Instances:
        """Return the objects of the dataset's classes in the order of the file, with the file's boxes, clipped.

        An object without a usable outline is a crowd.
        """
        return self._instances(record, masks=read_index(self.path).segmented)

    def read_boxes(self, record: Record) -> Instances:
        """Return the same objects without masks; the masks are not read."""
        return self._instances(record, masks=False)

    def _instances(self, record: Record, masks: bool) -> Instances:
        image = self._image(record)
        masks = masks and image.size_hw == image_size_hw(record.image)
        kept = [found for found in image.objects if 0 < self.ids[found.category] < IGNORE]
        return instances_of_objects(kept, self.ids, image.size_hw, masks)

    def _image(self, record: Record) -> CocoImage:
        images = read_index(self.path).by_stem
        if record.id not in images:
            raise InputError(
                f"{self.path} no longer lists the image `{record.id}`: the file has changed; open the dataset again"
            )
        return images[record.id]
