"""The content of a COCO annotation file: read once, checked, and held in little memory."""

import json
import math
from array import array
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path, PurePosixPath
from typing import Any

from wsseg.errors import InputError


@dataclass(frozen=True, slots=True)
class CocoObject:
    """One annotation.

    Attributes:
        category: Category id.
        box_xyxy: Left, top, right, bottom in pixels, clipped to the image.
        crowd: Whether it is a region of many objects.
        segmentation: Polygons as arrays of x, y, ..., or COCO's run lengths; None if there is none.
    """

    category: int
    box_xyxy: tuple[float, float, float, float]
    crowd: bool
    segmentation: Any


@dataclass(frozen=True, slots=True)
class CocoImage:
    """One image: file name, size, and objects in the order of the annotation file."""

    file_name: str
    size_hw: tuple[int, int]
    objects: tuple[CocoObject, ...]


@dataclass(frozen=True)
class CocoIndex:
    """A whole annotation file.

    Attributes:
        categories: Category id -> name, in order of id.
        images: Image id (the stem of the image file) -> image, in the order of the annotation file.
        repeated: File names with the same stem as an earlier image; they are not in `images`.
        left_out: Annotations that cannot be used, `annotation -> reason`.
        segmented: Whether the objects have masks; False for a file of boxes alone.
    """

    categories: dict[int, str]
    images: dict[str, CocoImage]
    repeated: tuple[str, ...]
    left_out: dict[str, str]
    segmented: bool


def read_index(path: Path, segmentations: bool = True) -> CocoIndex:
    """Read an annotation file. The last two files stay in memory, because a run opens its splits several times.

    An annotation is left out, with a reason, if its box has no area or lies outside the image, if a polygon has fewer
    than three corners, if its run lengths do not fit the image, or if its image is not listed.

    Args:
        path: The JSON file: `images`, `annotations`, `categories`.
        segmentations: Whether to keep the masks; stuff has its masks in PNGs.

    Raises:
        InputError: The file is missing or broken, or contradicts itself; the message names the file and the entry.
    """
    try:
        status = path.stat()
    except OSError as error:
        raise InputError(f"{path} cannot be read ({error.strerror}); expected COCO's annotations") from error
    return _read(path, segmentations, status.st_mtime_ns, status.st_size)


@lru_cache(maxsize=2)
def _read(path: Path, segmentations: bool, mtime_ns: int, size: int) -> CocoIndex:
    try:
        # A polygon takes a quarter of the memory as an array; COCO's training set has 860,000 objects.
        content = json.loads(
            path.read_text(), object_hook=_compact if segmentations else _without_segmentation
        )
    except OSError as error:
        raise InputError(f"{path} cannot be read ({error.strerror or error})") from error
    except (ValueError, RecursionError) as error:
        raise InputError(f"{path} is not valid JSON ({error}); is the download complete?") from error
    if not isinstance(content, dict):
        raise InputError(f"{path} must hold a JSON object with `images`, `annotations` and `categories`")
    for part in ("images", "annotations", "categories"):
        if not isinstance(content.get(part), list):
            raise InputError(
                f"{path} holds no list `{part}`; expected COCO's instances file, with `images`, `annotations` and "
                "`categories` (image_info files have no annotations)"
            )
    categories = _categories(path, content["categories"])
    names, sizes, repeated = _images(path, content["images"])
    objects, left_out, segmented = _objects(path, content["annotations"], categories, sizes, segmentations)
    images = {
        PurePosixPath(name).stem: CocoImage(name, sizes[identity], tuple(objects.get(identity, ())))
        for identity, name in names.items()
    }
    return CocoIndex(categories, images, tuple(repeated), left_out, segmented)


def _compact(entry: dict[str, Any]) -> dict[str, Any]:
    polygons = entry.get("segmentation")
    if isinstance(polygons, list):
        entry["segmentation"] = [_as_array(polygon) for polygon in polygons]
    return entry


def _as_array(polygon: Any) -> Any:
    try:
        return array("d", polygon)
    except TypeError:  # not a list of numbers; `_why_no_mask` reports it
        return polygon


def _without_segmentation(entry: dict[str, Any]) -> dict[str, Any]:
    entry.pop("segmentation", None)
    return entry


def _categories(path: Path, entries: list[Any]) -> dict[int, str]:
    found: dict[int, str] = {}
    for entry in entries:
        identity, name = _values(path, "categories", entry, ("id", "name"))
        if not _whole(identity) or not isinstance(name, str) or identity in found:
            raise InputError(
                f"{path}: a category needs a unique whole number as `id` and a `name`; got {entry}"
            )
        found[identity] = name
    if not found:
        raise InputError(f"{path} has no category")
    return dict(sorted(found.items()))


def _images(path: Path, entries: list[Any]) -> tuple[dict[Any, str], dict[Any, tuple[int, int]], list[str]]:
    names: dict[Any, str] = {}
    sizes: dict[Any, tuple[int, int]] = {}
    repeated: list[str] = []
    stems: set[str] = set()
    for entry in entries:
        identity, name, height, width = _values(path, "images", entry, ("id", "file_name", "height", "width"))
        if not (isinstance(name, str) and all(_whole(side) and side > 0 for side in (height, width))):
            raise InputError(
                f"{path}: an image needs `file_name`, `height` and `width`; got {str(entry)[:200]}"
            )
        if not isinstance(identity, int | str) or identity in sizes:
            raise InputError(f"{path}: the image id {identity} is not unique; give each image its own id")
        sizes[identity] = (height, width)
        stem = PurePosixPath(name).stem
        if stem in stems:
            repeated.append(name)
        else:
            stems.add(stem)
            names[identity] = name
    return names, sizes, repeated


def _objects(
    path: Path,
    entries: list[Any],
    categories: Mapping[int, str],
    sizes: Mapping[Any, tuple[int, int]],
    segmentations: bool,
) -> tuple[dict[Any, list[CocoObject]], dict[str, str], bool]:
    objects: dict[Any, list[CocoObject]] = {}
    left_out: dict[str, str] = {}
    # A file without any mask is a file of boxes; if some objects have masks, an object without one is broken.
    segmented = any(isinstance(entry, dict) and entry.get("segmentation") for entry in entries)
    for row, entry in enumerate(entries):
        image, category = _values(path, "annotations", entry, ("image_id", "category_id"))
        name = f"annotation {entry.get('id', row)} of image {image}"
        if not (_whole(category) and isinstance(image, int | str)):
            raise InputError(f"{path}: {name} needs one `image_id` and one `category_id`, a whole number")
        if category not in categories:
            raise InputError(
                f"{path}: {name} has the category {category}, which is not among `categories` "
                f"({', '.join(map(str, list(categories)[:8]))} ...)"
            )
        if image not in sizes:
            left_out[name] = "its image is not listed in the file"
            continue
        box, why = _box(entry.get("bbox"), sizes[image])
        segmentation = entry.get("segmentation") or None
        if box is not None and segmented:
            why = _why_no_mask(segmentation, sizes[image])
        if why:
            left_out[name] = why
        else:
            found = CocoObject(category, box, bool(entry.get("iscrowd")), segmentation)
            objects.setdefault(image, []).append(found)
    return objects, left_out, segmented and segmentations


def _box(bbox: Any, size_hw: tuple[int, int]) -> tuple[tuple[float, float, float, float] | None, str]:
    """Return left, top, right, bottom clipped to the image, and ""; or None and the reason."""
    if not (isinstance(bbox, list) and len(bbox) == 4 and all(_number(value) for value in bbox)):
        return None, f"`bbox` must be [left, top, width, height] in pixels; got {str(bbox)[:60]}"
    left, top, width, height = bbox
    if width <= 0 or height <= 0:
        return None, f"its box {bbox} has no area"
    right, bottom = min(left + width, size_hw[1]), min(top + height, size_hw[0])
    left, top = max(left, 0), max(top, 0)
    if right <= left or bottom <= top:
        return None, f"its box {bbox} lies outside the image of {size_hw[1]} x {size_hw[0]} (width x height)"
    return (float(left), float(top), float(right), float(bottom)), ""


def _why_no_mask(segmentation: Any, size_hw: tuple[int, int]) -> str:
    if segmentation is None:
        return "it has no segmentation, but others in the file have one"
    if isinstance(segmentation, list):
        for polygon in segmentation:
            if not isinstance(polygon, array) or len(polygon) < 6 or len(polygon) % 2:
                return f"a polygon needs x and y of at least three corners; got {str(polygon)[:60]}"
            if not all(map(math.isfinite, polygon)):
                return "a corner of its polygon is not a finite number"
        return ""
    if not isinstance(segmentation, dict) or list(segmentation.get("size") or ()) != list(size_hw):
        return f"its run lengths do not have the image's size {list(size_hw)} (height, width)"
    counts = segmentation.get("counts")
    if isinstance(counts, list) and (
        not all(_whole(run) and run >= 0 for run in counts) or sum(counts) != size_hw[0] * size_hw[1]
    ):
        return f"its run lengths do not add up to {size_hw[0]} x {size_hw[1]} pixels"
    return ""


def _values(path: Path, part: str, entry: Any, keys: tuple[str, ...]) -> list[Any]:
    for key in keys:
        if not isinstance(entry, dict) or key not in entry:
            raise InputError(f"{path}: an entry of `{part}` has no `{key}`: {str(entry)[:200]}")
    return [entry[key] for key in keys]


def _whole(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
