"""Masks and objects of VOC images, from VOC's own PNGs, the augmented PNGs, or SBD's .mat files."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from wsseg.artifacts import read_mask
from wsseg.datasets.mask_ids import translate
from wsseg.datasets.record import Record
from wsseg.datasets.sbd import read_classes, read_objects
from wsseg.datasets.visible_files import is_there
from wsseg.errors import InputError
from wsseg.objects.instances import Instances, instances_of_maps

OWN_MASKS = "SegmentationClass"
AUGMENTED_MASKS = "SegmentationClassAug"
OWN_OBJECTS = "SegmentationObject"


@dataclass(frozen=True)
class VocTruth:
    """Reader of the masks and objects of a devkit and, if given, of SBD.

    Attributes:
        root: The devkit's folder.
        table: `(256,) int16`: table from VOC's ids to the dataset's ids.
        sbd: SBD's folder `dataset`, or None.
    """

    root: Path
    table: np.ndarray
    sbd: Path | None = None

    @property
    def mask_folder(self) -> Path | None:
        """The folder of PNG masks: the augmented ones if they exist, else VOC's own; None if there are none."""
        folders = (self.root / AUGMENTED_MASKS, self.root / OWN_MASKS)
        return next((folder for folder in folders if folder.is_dir()), None)

    def mask_file(self, name: str) -> Path | None:
        """Return the mask file of an image: a PNG, or SBD's file if there is no PNG; None if there is neither."""
        png = self.mask_folder / f"{name}.png" if self.mask_folder else None
        if png and is_there(png):
            return png
        return self._sbd_file("cls", name)

    def objects_file(self, name: str) -> Path | None:
        """Return the file of an image's objects, or None.

        VOC's own instance map is used only if VOC's own class mask exists too: the classes of its objects are read
        from that mask, never from the augmented one.
        """
        png = self.root / OWN_OBJECTS / f"{name}.png"
        if is_there(png) and is_there(self.root / OWN_MASKS / f"{name}.png"):
            return png
        return self._sbd_file("inst", name)

    def _sbd_file(self, kind: str, name: str) -> Path | None:
        path = self.sbd / kind / f"{name}.mat" if self.sbd else None
        return path if path and is_there(path) else None

    def read_mask(self, record: Record) -> np.ndarray:
        """Return the mask, `(H, W)` in VOC's ids."""
        return read_values(record.mask)

    def read_instances(self, record: Record) -> Instances:
        """Return the objects of the dataset's classes. The border of 255 around VOC's own objects belongs to no object.

        Raises:
            InputError: A file is broken; the message names it.
        """
        if record.instances.suffix == ".mat":
            return read_objects(record.instances, self.table)
        classes_file = self.root / OWN_MASKS / record.instances.name
        numbers, classes = read_mask(record.instances), read_mask(classes_file)
        try:
            return instances_of_maps(numbers, translate(classes, self.table, f"mask {classes_file}"))
        except InputError as error:
            raise InputError(f"instances {record.instances}: {error}") from error


def read_values(path: Path) -> np.ndarray:
    """Read a mask, PNG or SBD's .mat, as `(H, W)` in VOC's ids."""
    return read_classes(path) if path.suffix == ".mat" else read_mask(path)
