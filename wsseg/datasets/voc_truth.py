"""Where the masks and objects of a VOC image come from: VOC's own PNGs, the augmented PNGs, or SBD's .mat files."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from wsseg.artifacts import read_mask
from wsseg.datasets.mask_ids import translate
from wsseg.datasets.record import Record
from wsseg.datasets.sbd import read_classes, read_objects
from wsseg.errors import InputError
from wsseg.objects.instances import Instances, instances_of_maps

OWN_MASKS = "SegmentationClass"
AUGMENTED_MASKS = "SegmentationClassAug"
OWN_OBJECTS = "SegmentationObject"


@dataclass(frozen=True)
class VocTruth:
    """Finds and reads the masks and objects of a devkit, and of SBD where that is given.

    Attributes:
        root: The devkit's folder.
        table: `(256,) int16`: VOC's ids to the dataset's.
        sbd: SBD's folder `dataset`, or None.
    """

    root: Path
    table: np.ndarray
    sbd: Path | None = None

    @property
    def mask_folder(self) -> Path | None:
        """The folder of PNG masks: the augmented ones where they are there, else VOC's own; None without any."""
        folders = (self.root / AUGMENTED_MASKS, self.root / OWN_MASKS)
        return next((folder for folder in folders if folder.is_dir()), None)

    def mask_file(self, name: str) -> Path | None:
        """Return the mask of an image: a PNG, or SBD's file where there is none."""
        png = self.mask_folder / f"{name}.png" if self.mask_folder else None
        if png and png.exists():
            return png
        return self._sbd_file("cls", name)

    def objects_file(self, name: str) -> Path | None:
        """Return the file of an image's objects.

        VOC's own is told by VOC's own class mask, not by the augmented one: it counts only where both are there.
        """
        png = self.root / OWN_OBJECTS / f"{name}.png"
        if png.exists() and (self.root / OWN_MASKS / f"{name}.png").exists():
            return png
        return self._sbd_file("inst", name)

    def _sbd_file(self, kind: str, name: str) -> Path | None:
        path = self.sbd / kind / f"{name}.mat" if self.sbd else None
        return path if path and path.exists() else None

    def read_mask(self, record: Record) -> np.ndarray:
        """Return the mask as `(H, W)` of VOC's ids."""
        return read_values(record.mask)

    def read_instances(self, record: Record) -> Instances:
        """Return the objects of the dataset's classes; the border of 255 around VOC's own is of none.

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
    """Read a mask, PNG or SBD's, as `(H, W)` of VOC's ids."""
    return read_classes(path) if path.suffix == ".mat" else read_mask(path)
