"""The content of labelme's JSON files, and the masks that labelme draws of it."""

import base64
import io
import json
import math
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np
from PIL import Image, ImageDraw

from wsseg.artifacts import IGNORE
from wsseg.class_names import BACKGROUND_NAMES
from wsseg.datasets.record import Record
from wsseg.errors import InputError
from wsseg.image_files import check_format, image_size_hw

IGNORED = "__ignore__"
"""Label of shapes whose pixels labelme does not count."""

LARGEST_SIDE = 1_000_000
"""Sides of images from which a stated size is taken for broken, in pixels."""

WITH_AREA = ("polygon", "rectangle", "circle", "mask", "oriented_rectangle")
WITHOUT_AREA = ("point", "points", "line", "linestrip")


@dataclass(frozen=True)
class Shape:
    """A shape: label, kind, corners `(x, y)` in pixels, and the picture of a shape of the kind mask."""

    label: str
    kind: str
    points: tuple[tuple[float, float], ...]
    picture: str | None = None


@dataclass(frozen=True)
class Annotation:
    """One JSON file.

    Attributes:
        image: File of the image, as written.
        size_hw: Height and width of the image, or None if they are not stated.
        shapes: The shapes, in the order in which they are drawn.
        flags: Flags of the image that are set.
    """

    image: str
    size_hw: tuple[int, int] | None
    shapes: tuple[Shape, ...]
    flags: tuple[str, ...]

    @property
    def labels(self) -> frozenset[str]:
        """Labels of the shapes, without background and `__ignore__`."""
        names = {shape.label for shape in self.shapes}
        return frozenset(name for name in names if name.lower() not in {*BACKGROUND_NAMES, IGNORED})

    @property
    def open_shapes(self) -> list[str]:
        """Shapes without an area, in words."""
        return [f"a {one.kind} of `{one.label}`" for one in self.shapes if one.kind in WITHOUT_AREA]


def annotation_files(
    root: Path, others: Iterable[PurePosixPath], first: int | None = None
) -> list[PurePosixPath]:
    """Return the JSON files of labelme among files; `first` limits how many JSON files are looked at."""
    named = [path for path in others if path.suffix.lower() == ".json"]
    return [path for path in named[:first] if _is_labelme(root / path)]


def _is_labelme(path: Path) -> bool:
    try:
        content = json.loads(path.read_bytes())
    except (OSError, ValueError, RecursionError):
        return b'"shapes"' in _start(path) and b'"imagePath"' in _start(
            path
        )  # broken, which is said when it is read
    return isinstance(content, dict) and "shapes" in content and "imagePath" in content


def _start(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError:
        return b""


def read_annotation(path: Path) -> Annotation:
    """Read a JSON file; it stays in memory, because a run opens its splits several times.

    Raises:
        InputError: The file is broken; the message names it and the shape.
    """
    try:
        status = path.stat()
    except OSError as error:
        raise InputError(f"{path} cannot be read ({error.strerror or error})") from error
    return _read(path, status.st_mtime_ns, status.st_size)


@lru_cache(maxsize=40_000)
def _read(path: Path, mtime_ns: int, size: int) -> Annotation:
    try:
        content = json.loads(path.read_bytes())
    except (OSError, ValueError, RecursionError) as error:
        raise InputError(f"{path} cannot be read ({error}); expected labelme's JSON") from error
    if not isinstance(content, dict) or not isinstance(content.get("shapes"), list):
        raise InputError(f"{path} is no file of labelme: it holds no list `shapes`")
    shapes = tuple(_shape(path, row, entry) for row, entry in enumerate(content["shapes"]))
    flags = content.get("flags")
    flags = (
        tuple(str(name) for name, is_set in flags.items() if is_set is True)
        if isinstance(flags, dict)
        else ()
    )
    sides = content.get("imageHeight"), content.get("imageWidth")
    size_hw = sides if all(type(side) is int and 0 < side < LARGEST_SIDE for side in sides) else None
    image = content.get("imagePath")
    return Annotation(image if isinstance(image, str) else "", size_hw, shapes, flags)


def _shape(path: Path, row: int, entry: Any) -> Shape:
    where = f"{path}, shapes[{row}]"
    label = entry.get("label") if isinstance(entry, dict) else None
    if not isinstance(label, str) or not label.strip():
        raise InputError(f"{where} has no label; name it in labelme, or remove it")
    kind = entry.get("shape_type") or "polygon"  # labelme 3 has no other
    if kind not in WITH_AREA + WITHOUT_AREA:
        raise InputError(
            f"{where}: `{label}` is a {str(kind)[:30]!r}, which is not known; draw it as a polygon"
        )
    try:
        points = tuple((float(x), float(y)) for x, y in entry.get("points"))
    except (TypeError, ValueError, OverflowError):
        raise InputError(f"{where}: `{label}` has no list of points x, y") from None
    if not all(math.isfinite(value) and abs(value) < 1e7 for point in points for value in point):
        raise InputError(
            f"{where}: a point of `{label}` is not a finite number, or lies far outside the image"
        )
    least = {"polygon": 3, "oriented_rectangle": 3, "rectangle": 2, "circle": 2, "mask": 2}.get(kind, 1)
    most = 4 if kind == "rectangle" else 2 if kind in ("circle", "mask") else len(points)
    if not least <= len(points) <= most or (kind == "rectangle" and len(points) == 3):
        raise InputError(
            f"{where}: the {kind} of `{label}` has {len(points)} points; draw it anew, or remove it"
        )
    picture = entry.get("mask") if kind == "mask" else None
    if kind == "mask" and not isinstance(picture, str):
        raise InputError(f"{where}: the mask of `{label}` has no picture; draw it anew, or remove it")
    return Shape(label.strip(), kind, points, picture)


@dataclass(frozen=True)
class LabelmeMasks:
    """Reader of masks.

    Attributes:
        classes: Classes in mask-id order.
        other_objects: Label of other shapes: background or ignore.
    """

    classes: tuple[str, ...]
    other_objects: str = "background"

    def read(self, record: Record) -> np.ndarray:
        """Draw the shapes of an image, later ones over earlier ones.

        Returns:
            `(H, W) uint8`: 0 = background, 1..K, 255 = ignore. Its size is the one that the file states.

        Raises:
            InputError: The file is broken, states no size, or has a shape without a pixel.
        """
        found = read_annotation(record.mask)
        if found.size_hw is None:
            raise InputError(
                f"{record.mask} does not state `imageHeight` and `imageWidth`; save it anew in labelme"
            )
        if found.size_hw != image_size_hw(record.image):
            return np.broadcast_to(
                np.uint8(0), found.size_hw
            )  # nothing is drawn in a size that will be refused
        mask = np.zeros(found.size_hw, np.uint8)
        for row, shape in enumerate(found.shapes):
            where = f"{record.mask}, shapes[{row}]"
            pixels = drawn(shape, found.size_hw, where)
            if not pixels.any():
                raise InputError(
                    f"{where}: the {shape.kind} of `{shape.label}` has no pixel in the image; remove it"
                )
            mask[pixels] = self._id(shape.label)
        return mask

    def _id(self, label: str) -> int:
        if label in self.classes:
            return self.classes.index(label) + 1
        if label.lower() in BACKGROUND_NAMES:
            return 0
        return IGNORE if label.lower() == IGNORED or self.other_objects == "ignore" else 0


def drawn(shape: Shape, size_hw: tuple[int, int], where: str) -> np.ndarray:
    """Return the pixels of a shape with an area, `(H, W) bool`, by Pillow's drawing as labelme does.

    Raises:
        InputError: The picture of a mask is broken.
    """
    if shape.kind == "mask":
        return _pasted(shape, size_hw, where)
    canvas = Image.new("1", size_hw[::-1])
    draw = ImageDraw.Draw(canvas)
    if shape.kind == "circle":
        (x, y), (edge_x, edge_y) = shape.points
        radius = math.hypot(edge_x - x, edge_y - y)
        draw.ellipse([x - radius, y - radius, x + radius, y + radius], outline=1, fill=1)
    elif shape.kind == "rectangle" and len(shape.points) == 2:
        xs, ys = zip(*shape.points, strict=True)
        draw.rectangle([min(xs), min(ys), max(xs), max(ys)], outline=1, fill=1)
    else:
        draw.polygon(xy=list(shape.points), outline=1, fill=1)
    return np.array(canvas, bool)


def _pasted(shape: Shape, size_hw: tuple[int, int], where: str) -> np.ndarray:
    try:
        with Image.open(io.BytesIO(base64.b64decode(shape.picture or "", validate=True))) as picture:
            check_format(picture, Path(where))
            part = np.array(picture.convert("L")) > 0
    except Exception as error:  # Pillow's decoders raise OSError, SyntaxError, ValueError, struct.error ...
        raise InputError(
            f"{where}: the picture of `{shape.label}` cannot be read ({error}); draw it anew"
        ) from error
    (left, top), (right, bottom) = shape.points
    left, top = round(min(left, right)), round(min(top, bottom))
    height, width = size_hw
    pixels = np.zeros(size_hw, bool)
    if left < 0 or top < 0 or top + part.shape[0] > height or left + part.shape[1] > width:
        raise InputError(f"{where}: the mask of `{shape.label}` lies outside the image; draw it anew")
    pixels[top : top + part.shape[0], left : left + part.shape[1]] = part
    return pixels
