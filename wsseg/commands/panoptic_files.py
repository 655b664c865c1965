"""COCO's panoptic format: a JSON file of segments, and a folder of PNGs beside it, named after the file.

panoptic_val2017.json          {images, annotations: [{image_id, file_name, segments_info}], categories}
panoptic_val2017/ID.png        RGB; the number of a pixel's segment is R + 256 G + 65536 B, 0 = void
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from wsseg.errors import InputError
from wsseg.image_files import check_format
from wsseg.metrics import Segments
from wsseg.objects.coco_values import id_of, is_marked, read_coco_json, whole

EXPECTED = "COCO's panoptic file: {annotations: [{image_id, file_name, segments_info}], categories}"


@dataclass(frozen=True)
class PanopticFile:
    """Content of a panoptic file; the PNGs are read on request.

    Attributes:
        path: The JSON file.
        folder: Folder of the PNGs.
        categories: Category id -> name, in order of id; empty in predictions without categories.
        things: Names of the countable categories.
        annotations: Image id -> entry of the image.
    """

    path: Path
    folder: Path
    categories: dict[int, str]
    things: frozenset[str]
    annotations: Mapping[int | str, Mapping[str, Any]]

    def segments(self, image_id: int | str, class_ids: Mapping[int, int]) -> Segments:
        """Read the segments of an image.

        Args:
            image_id: Id of the image.
            class_ids: Category id -> class id, 0..K-1.

        Raises:
            InputError: The PNG is missing or is not RGB, or the file and the PNG contradict each other: a segment is in
                one of the two alone, is named twice, or has an unknown category.
        """
        entry = self.annotations[image_id]
        path = self.folder / str(entry.get("file_name"))
        numbers = _numbers(path)
        classes: dict[int, int] = {}
        crowd = set()
        for info in entry["segments_info"]:
            number = whole(info.get("id")) if isinstance(info, dict) else None
            category = whole(info.get("category_id")) if isinstance(info, dict) else None
            where = f"{self.path}: segment {number} of image {image_id!r}"
            if number is None or number <= 0 or number in classes:
                raise InputError(f"{where}: its `id` must be a whole number above 0, of one segment alone")
            if category not in class_ids:
                raise InputError(f"{where} has the category {category}, which is not among `categories`")
            classes[number] = class_ids[category]
            if is_marked(info.get("iscrowd")):
                crowd.add(number)
        drawn = set(np.unique(numbers).tolist()) - {0}
        for number in sorted(drawn ^ set(classes)):
            where = (
                f"is in {path} but not in `segments_info`" if number in drawn else f"has no pixel in {path}"
            )
            raise InputError(f"{self.path}: segment {number} of image {image_id!r} {where}")
        return Segments(numbers, classes, crowd)


def read_panoptic(path: Path) -> PanopticFile:
    """Read a panoptic file.

    Raises:
        InputError: The file or its folder is missing, the file is broken, or an image is named twice.
    """
    content = read_coco_json(path, EXPECTED)
    if not isinstance(content, dict) or not isinstance(content.get("annotations"), list):
        raise InputError(f"{path} is not a panoptic file; expected {EXPECTED}")
    folder = path.with_suffix("")
    if not folder.is_dir():
        raise InputError(f"{folder} does not exist; it should hold the PNGs of {path.name}")
    categories: dict[int, str] = {}
    things = set()
    categories_of = content.get("categories")
    for entry in categories_of if isinstance(categories_of, list) else ():
        number = whole(entry.get("id")) if isinstance(entry, dict) else None
        name = str(entry.get("name") or "") if isinstance(entry, dict) else ""
        if number is None or not name or number in categories or name in categories.values():
            raise InputError(
                f"{path}: a category needs an `id` and a `name` of its own; got {str(entry)[:120]}"
            )
        categories[number] = name
        if is_marked(entry.get("isthing")):
            things.add(name)
    annotations: dict[int | str, Mapping[str, Any]] = {}
    for row, entry in enumerate(content["annotations"]):
        image_id = id_of(entry.get("image_id")) if isinstance(entry, dict) else None
        if image_id is None or not isinstance(entry.get("segments_info"), list):
            raise InputError(f"{path}, annotations[{row}]: expected image_id, file_name and segments_info")
        if image_id in annotations:
            raise InputError(f"{path}, annotations[{row}]: image {image_id!r} was there before")
        annotations[image_id] = entry
    return PanopticFile(path, folder, dict(sorted(categories.items())), frozenset(things), annotations)


def _numbers(path: Path) -> np.ndarray:
    try:
        with Image.open(path) as image:
            check_format(image, path)
            pixels = np.asarray(image)
    except InputError:
        raise
    except Exception as error:  # Pillow's decoders raise OSError, SyntaxError, ValueError, struct.error ...
        raise InputError(f"{path} cannot be read ({error}); expected a PNG of segments") from error
    if pixels.ndim != 3 or pixels.shape[2] != 3 or pixels.dtype != np.uint8:
        raise InputError(f"{path} must be an 8-bit RGB PNG: R + 256 G + 65536 B is the number of a segment")
    return pixels.astype(np.int64) @ np.array([1, 256, 65536])
