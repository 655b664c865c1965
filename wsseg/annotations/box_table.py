"""Boxes as a CSV: header `image,label,left,top,right,bottom`, one object per row."""

import csv
import math
from collections.abc import Sequence
from pathlib import Path, PurePosixPath

import numpy as np

from wsseg.errors import InputError, nearest
from wsseg.image_files import IMAGE_EXTENSIONS
from wsseg.objects.instances import Instances

HEADER = ("image", "label", "left", "top", "right", "bottom")

BoxTable = dict[str, list[tuple[int, float, float, float, float]]]
"""Image id -> boxes of the image: class id 1..K, left, top, right, bottom."""


def read_box_table(path: Path, classes: Sequence[str]) -> BoxTable:
    """Read a CSV of boxes.

    Args:
        path: The file, UTF-8; further columns are not read. An image is named by its file name or path, with or
            without extension. A box is in pixels from edge to edge, so that 0, 0, 1, 1 is the top left pixel.
        classes: Legal labels, in mask-id order.

    Raises:
        InputError: The file is missing or is not such a CSV, a label is unknown, or a box has no area; the message
            names the file and the line.
    """
    try:
        with Path(path).open(newline="", encoding="utf-8-sig") as file:
            reader = csv.DictReader(file, skipinitialspace=True)
            header = [(name or "").strip() for name in reader.fieldnames or []]
            if not set(HEADER) <= set(header):
                raise InputError(
                    f"{path} must begin with the header line `{','.join(HEADER)}`; got `{','.join(header)}`"
                )
            reader.fieldnames = header
            rows = [(f"{path}, line {reader.line_num}", row) for row in reader]
    except FileNotFoundError:
        raise InputError(
            f"{path} does not exist; expected a CSV with the header {','.join(HEADER)}"
        ) from None
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise InputError(f"{path} cannot be read as a UTF-8 CSV file ({error})") from error
    table: BoxTable = {}
    for where, row in rows:
        name, label = ((row[key] or "").strip() for key in ("image", "label"))
        if not name:
            raise InputError(f"{where}: no image name; expected `{','.join(HEADER)}`")
        if label not in classes:
            raise InputError(f"{where}: unknown label `{label}`; {nearest(label, classes)}")
        table.setdefault(image_id(name), []).append((list(classes).index(label) + 1, *_box(row, where)))
    if not table:
        raise InputError(f"{path} holds no box; expected one row per object below the header")
    return table


def image_id(name: str) -> str:
    """Return the image id for the image name in a row.

    Example:
        >>> image_id("photos/dog 1.jpg"), image_id("2007_000032"), image_id("v1.5 beta")
        ('dog 1', '2007_000032', 'v1.5 beta')
    """
    path = PurePosixPath(name)
    return path.stem if path.suffix.lower() in IMAGE_EXTENSIONS else path.name


def boxes_of(table: BoxTable, name: str, size_hw: tuple[int, int]) -> Instances | None:
    """Return the boxes of one image, clipped to the image, or None if the table has no row of the image.

    Raises:
        InputError: A box lies outside the image.
    """
    if name not in table:
        return None
    rows = np.array(table[name], np.float64)
    height, width = size_hw
    boxes = np.clip(rows[:, 1:], 0, [width, height, width, height])
    for row, (left, top, right, bottom) in zip(rows, boxes):
        if left >= right or top >= bottom:
            raise InputError(
                f"image `{name}` ({width} x {height}): the box {row[1:].tolist()} lies outside of the image; expected "
                "left, top, right, bottom in pixels"
            )
    return Instances(rows[:, 0].astype(np.int32), boxes, size_hw)


def _box(row: dict, where: str) -> tuple[float, float, float, float]:
    try:
        left, top, right, bottom = (float(row[key]) for key in HEADER[2:])
    except (TypeError, ValueError):
        left = math.nan
    if not (math.isfinite(left) and left < right < math.inf and -math.inf < top < bottom < math.inf):
        raise InputError(
            f"{where}: left, top, right, bottom must be numbers in pixels with left < right and top < bottom; got "
            f"{', '.join(str(row[key]) for key in HEADER[2:])}"
        )
    return left, top, right, bottom
