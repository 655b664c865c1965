"""Masks and objects of COCO images, drawn from the annotations on request."""

from array import array
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from wsseg.artifacts import IGNORE
from wsseg.datasets.record import Record
from wsseg.errors import InputError
from wsseg.objects.coco_annotations import CocoImage, CocoObject, read_index
from wsseg.objects.instances import Instances
from wsseg.objects.run_length import decode_mask


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
        """Draw an image's objects into one mask.

        Where objects overlap, the smaller one is in front; if two are equally large, the later one. Pixels of a crowd
        of the dataset's classes are ignored (255) where there is no single object.

        Returns:
            `(H, W) uint8` in the dataset's ids.

        Raises:
            InputError: A mask of the image is broken; the message names the file.
        """
        image = self._image(record)
        mask = np.zeros(image.size_hw, np.uint8)
        drawn = [(found, pixels) for found, pixels in self._drawn(image, record) if pixels.any()]
        for found, pixels in drawn:
            if found.crowd and self.ids[found.category]:
                mask[pixels] = IGNORE
        single = [
            (pixels.sum(), self.ids[found.category], pixels) for found, pixels in drawn if not found.crowd
        ]
        for _, number, pixels in sorted(single, key=lambda item: -int(item[0])):
            mask[pixels] = number
        return mask

    def read_instances(self, record: Record) -> Instances:
        """Return the objects of the dataset's classes in the order of the file, with the file's boxes, clipped.

        Raises:
            InputError: A mask of the image is broken; the message names the file.
        """
        image, kept = self._image(record), self._kept(record)
        masks = None
        if read_index(self.path).segmented:
            masks = np.zeros((len(kept), *image.size_hw), bool)
            for row, found in enumerate(kept):
                masks[row] = self._pixels(found, image, record)
        return replace(self.read_boxes(record), masks=masks)

    def read_boxes(self, record: Record) -> Instances:
        """Return the same objects without masks; the masks are not read."""
        image, kept = self._image(record), self._kept(record)
        return Instances(
            [self.ids[found.category] for found in kept],
            np.array([found.box_xyxy for found in kept], np.float32),
            image.size_hw,
            crowd=np.array([found.crowd for found in kept], bool),
        )

    def _kept(self, record: Record) -> list[CocoObject]:
        return [found for found in self._image(record).objects if 0 < self.ids[found.category] < IGNORE]

    def _image(self, record: Record) -> CocoImage:
        images = read_index(self.path).images
        if record.id not in images:
            raise InputError(
                f"{self.path} no longer lists the image `{record.id}`: the file has changed; open the dataset again"
            )
        return images[record.id]

    def _drawn(self, image: CocoImage, record: Record) -> Iterator[tuple[CocoObject, np.ndarray]]:
        for found in image.objects:
            yield found, self._pixels(found, image, record)

    def _pixels(self, found: CocoObject, image: CocoImage, record: Record) -> np.ndarray:
        try:
            return decode_mask(_as_json(found.segmentation), image.size_hw)
        except InputError as error:
            raise InputError(f"{self.path}: an object of image `{record.id}`: {error}") from error


def _as_json(segmentation: Any) -> Any:
    if isinstance(segmentation, list):
        return [list(polygon) if isinstance(polygon, array) else polygon for polygon in segmentation]
    return segmentation
