"""Cityscapes' labels, and readers of its masks, polygons and 16-bit instance maps.

A value of `instanceIds.png` of 1000 or more is `1000 * label id + number of the object`. A value below 1000 is the
label id itself: of a class without instances, or, in a class with instances, of a group of objects that the annotators
could not separate.
"""

import json
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np
from PIL import Image

from wsseg.artifacts import IGNORE, read_mask
from wsseg.datasets.mask_ids import ILLEGAL, mask_id_table
from wsseg.datasets.record import Record
from wsseg.errors import InputError
from wsseg.image_files import check_format
from wsseg.objects.instances import Instances

LABEL_IDS = {
    "road": 7, "sidewalk": 8, "building": 11, "wall": 12, "fence": 13, "pole": 17, "traffic light": 19,
    "traffic sign": 20, "vegetation": 21, "terrain": 22, "sky": 23, "person": 24, "rider": 25, "car": 26, "truck": 27,
    "bus": 28, "train": 31, "motorcycle": 32, "bicycle": 33,
}  # fmt: skip
"""Label ids of the 19 evaluated classes, in the order of their train ids 0..18 (labels.py of cityscapesScripts)."""

CITYSCAPES_CLASSES = tuple(LABEL_IDS)
WITH_OBJECTS = ("person", "rider", "car", "truck", "bus", "train", "motorcycle", "bicycle")
"""The evaluated classes with instances."""

LAST_LABEL = 33
TRAIN_IDS = "labelTrainIds.png"
"""End of the names of masks of train ids, 0..18 and 255."""


def label_id_table(classes: tuple[str, ...], other_objects: str) -> np.ndarray:
    """Return `(256,) int16`: table from label ids to mask ids 1..K; labels that are not evaluated become 255."""
    small = mask_id_table(CITYSCAPES_CLASSES, classes, other_objects)
    table = np.full(256, ILLEGAL, np.int16)
    table[: LAST_LABEL + 1] = IGNORE
    table[IGNORE] = IGNORE
    for train_id, number in enumerate(LABEL_IDS.values()):
        table[number] = small[train_id + 1]
    return table


def labels_of_mask(path: Path) -> frozenset[str]:
    """Return the evaluated classes in a mask of label ids."""
    values = set(np.unique(read_label_ids(path)).tolist())
    return frozenset(name for name, number in LABEL_IDS.items() if number in values)


def read_label_ids(path: Path) -> np.ndarray:
    """Read a mask of label ids, or one of train ids as label ids.

    Returns:
        `(H, W) uint8` label ids; what is not evaluated in a mask of train ids is 0.

    Raises:
        InputError: The file is missing or broken, or holds a value that is no train id.
    """
    values = read_mask(path)
    if not path.name.endswith(TRAIN_IDS):
        return values
    table = np.full(256, LAST_LABEL + 1, np.uint8)
    table[: len(LABEL_IDS)] = list(LABEL_IDS.values())
    table[IGNORE] = 0
    if (wrong := values[table[values] > LAST_LABEL]).size:
        raise InputError(
            f"mask {path} holds the value {wrong[0]}, which is no train id; expected 0..18 or {IGNORE}"
        )
    return table[values]


@dataclass(frozen=True)
class CityscapesMasks:
    """Reader of the masks of images."""

    def read(self, record: Record) -> np.ndarray:
        """Return `(H, W) uint8` label ids; see `read_label_ids`."""
        return read_label_ids(record.mask)


def labels_of_polygons(path: Path) -> frozenset[str]:
    """Return the evaluated classes named in a file of polygons; `cargroup` counts as car.

    Raises:
        InputError: The file is broken; the message names it.
    """
    try:
        status = path.stat()
    except OSError as error:
        raise InputError(f"{path} cannot be read ({error.strerror})") from error
    return _labels_of_polygons(path, status.st_mtime_ns, status.st_size)


@lru_cache(maxsize=40_000)
def _labels_of_polygons(path: Path, mtime_ns: int, size: int) -> frozenset[str]:
    """Read a file, cached because a run opens a split several times."""
    try:
        objects = json.loads(path.read_text())["objects"]
        drawn = {item["label"] for item in objects if not item.get("deleted")}
        if not all(isinstance(label, str) for label in drawn):
            raise TypeError("a label is no text")
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise InputError(
            f"{path} cannot be read ({error}); expected Cityscapes' JSON, with a `label` for each of its `objects`"
        ) from error
    single = {label.removesuffix("group") if label != "polegroup" else label for label in drawn}
    return frozenset(name for name in CITYSCAPES_CLASSES if name in single)


@dataclass(frozen=True)
class CityscapesInstances:
    """Reader of 16-bit instance maps.

    Attributes:
        table: `(256,) int16`: table from label ids to the dataset's ids.
    """

    table: np.ndarray

    def __call__(self, record: Record) -> Instances:
        """Return the objects of the dataset's classes; groups are `crowd`.

        Raises:
            InputError: The file is broken, or holds an id that is no label; the message names the file.
        """
        path = record.instances
        values = read_instance_ids(path)
        masks, ids, crowd = [], [], []
        grouped = {LABEL_IDS[name] for name in WITH_OBJECTS}
        for value in np.unique(values).tolist():
            label = value // 1000 if value >= 1000 else value
            if not 0 <= label <= LAST_LABEL:
                raise InputError(
                    f"instances {path} hold the value {value}, which belongs to no label; expected label ids "
                    f"0..{LAST_LABEL}, or 1000 times a label id plus a number"
                )
            if label in grouped and 0 < self.table[label] < IGNORE:
                masks.append(values == value)
                ids.append(int(self.table[label]))
                crowd.append(value < 1000)
        return Instances.of_masks(
            np.array(masks, bool).reshape(-1, *values.shape), ids, crowd=np.array(crowd, bool)
        )


def read_instance_ids(path: Path) -> np.ndarray:
    """Read a 16-bit grayscale PNG.

    Returns:
        `(H, W) int32`.

    Raises:
        InputError: The file is missing, broken, or has 8 bits; the message names it.
    """
    try:
        with Image.open(path) as image:
            check_format(image, path)
            if not image.mode.startswith("I"):
                raise InputError(
                    f"{path} holds {image.mode} pixels; expected Cityscapes' 16-bit grayscale PNG"
                )
            return np.array(image).astype(np.int32)
    except FileNotFoundError:
        raise InputError(f"instances {path} do not exist") from None
    except InputError:
        raise
    except Exception as error:  # Pillow's decoders raise OSError, SyntaxError, ValueError, struct.error ...
        raise InputError(f"instances {path} cannot be read ({error}); expected a 16-bit PNG") from error
