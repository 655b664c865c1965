"""The content of a COCO annotation file: read once, checked, and held in little memory.

Datasets and `wsseg evaluate` read annotation files here, so both say the same of a file.
"""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Any

from wsseg.errors import InputError
from wsseg.objects.coco_crowds import painted_objects
from wsseg.objects.coco_lists import categories_of, images_of, values_of
from wsseg.objects.coco_outlines import (
    NO_OUTLINE,
    Box,
    are_shares,
    box_of,
    box_of_outline,
    clipped,
    compact,
    outline_of,
    place_of,
)
from wsseg.objects.coco_values import id_of, is_marked, number, path_name_of, read_coco_json, stem_of, whole

EXPECTED = "COCO's annotations: {images: [...], annotations: [...], categories: [...]}"


@dataclass(frozen=True, slots=True)
class CocoObject:
    """One annotation.

    Attributes:
        category: Category id.
        box_xyxy: Left, top, right, bottom in pixels, not clipped; None if the file has no usable box or outline.
        crowd: Whether it is a region of many objects.
        segmentation: Polygons as arrays of x, y, ..., or COCO's run lengths; None if there is no usable outline.
        area: Area as stated in the file, in pixels; None if none is stated.
        place_xyxy: About where the object is, if it has neither a box nor an outline; None if nothing says it.
        painted: Whether it is one object although it is marked `iscrowd`; see `wsseg.objects.coco_crowds`.
    """

    category: int
    box_xyxy: Box | None
    crowd: bool
    segmentation: Any
    area: float | None = None
    place_xyxy: Box | None = None
    painted: bool = False


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
        path: The file.
        categories: Category id -> name, in order of id.
        images: Image id -> image, in the order of the annotation file.
        stems: Name of the image -> image id, for the first image of each name: the stem of its file; of images that
            share it, the path without extension, with `__` between the folders.
        repeated: File names with the same name as an earlier image.
        unnamed: Images without an id or a file name, `image -> reason`. Those without an id are not in `images`.
        left_out: Annotations that are not used at all, `annotation -> reason`.
        ignored: Objects without a usable outline in a file with outlines, or without a usable box in a file of boxes,
            `annotation -> reason`. Their image keeps their label, and masks are 255 in their box; without a box, about
            where their coordinates lie (`place_of`); without any, in the whole image.
        remarks: Annotations that are read otherwise than they are written, `annotation -> how`.
        segmented: Whether the objects have masks; False for a file of boxes alone.
        boxed: Whether the objects have boxes; False for a file of image-level labels alone.
    """

    path: Path
    categories: dict[int, str]
    images: dict[int | str, CocoImage]
    stems: dict[str, int | str]
    repeated: tuple[str, ...] = ()
    unnamed: dict[str, str] = field(default_factory=dict)
    left_out: dict[str, str] = field(default_factory=dict)
    ignored: dict[str, str] = field(default_factory=dict)
    remarks: dict[str, str] = field(default_factory=dict)
    segmented: bool = True
    boxed: bool = True

    @cached_property
    def by_stem(self) -> dict[str, CocoImage]:
        """Name of the image -> image; see `stems`."""
        return {stem: self.images[identity] for stem, identity in self.stems.items()}


def read_index(path: Path, segmentations: bool = True) -> CocoIndex:
    """Read an annotation file. The last two files stay in memory, because a run opens its splits several times.

    Numbers may be written as text, and whole numbers as floats. An annotation is left out, with a reason, if its image
    is not listed, if its box lies outside the image, or if it is an exact copy of another. An object keeps its label
    but is listed in `ignored` if it has no usable outline: none at all in a file where others have one, fewer than
    three corners, run lengths that do not fit the image. A missing box is that of the outline. Masks painted with a
    brush are told from crowds by the rule of `wsseg.objects.coco_crowds`.

    A category that is the supercategory of all others and has no annotation is a heading, as Roboflow writes it, and
    no class.

    Args:
        path: The JSON file: `images`, `annotations`, `categories`.
        segmentations: Whether to keep the masks; stuff has its masks in PNGs.

    Raises:
        InputError: The file is missing or broken, or contradicts itself; the message names the file and the entry.
    """
    try:
        status = path.stat()
    except OSError as error:
        raise InputError(f"{path} cannot be read ({error.strerror}); expected {EXPECTED}") from error
    return _read(path, segmentations, status.st_mtime_ns, status.st_size)


@lru_cache(maxsize=2)
def _read(path: Path, segmentations: bool, mtime_ns: int, size: int) -> CocoIndex:
    content = read_coco_json(path, EXPECTED, compact if segmentations else _without_segmentation)
    if not isinstance(content, dict):
        raise InputError(f"{path} is not a COCO annotation file; it must hold a JSON object, {EXPECTED}")
    for part in ("images", "annotations", "categories"):
        if not isinstance(content.get(part), list):
            raise InputError(
                f"{path} is not a COCO annotation file: it holds no list `{part}`; expected COCO's instances file, "
                "with `images`, `annotations` and `categories` (image_info files have no annotations)"
            )
    categories = categories_of(path, content["categories"], content["annotations"])
    names, sizes, unnamed = images_of(path, content["images"])
    reader = _Annotations(path, categories, sizes, segmentations)
    reader.read(content["annotations"])
    reader.check_units()
    stems: dict[str, int | str] = {}
    repeated = []
    counts = Counter(stem_of(name) for name in names.values())
    for identity, name in names.items():
        short = stem_of(name) if counts[stem_of(name)] == 1 else path_name_of(name)
        if name and stems.setdefault(short, identity) != identity:
            repeated.append(name)
    images = {
        identity: CocoImage(name, sizes[identity], tuple(reader.objects.get(identity, ())))
        for identity, name in names.items()
    }
    return CocoIndex(
        path,
        categories,
        images,
        stems,
        tuple(repeated),
        unnamed,
        reader.left_out,
        reader.ignored(),
        reader.remarks,
        reader.segmented and segmentations,
        reader.boxed,
    )


def _without_segmentation(entry: dict[str, Any]) -> dict[str, Any]:
    entry.pop("segmentation", None)
    return entry


class _Annotations:
    """The annotations of one file, as they are read one after another."""

    def __init__(
        self,
        path: Path,
        categories: Mapping[int, str],
        sizes: Mapping[int | str, tuple[int, int]],
        segmentations: bool,
    ):
        self.path, self.categories, self.sizes = path, categories, sizes
        self.segmentations = segmentations
        self.objects: dict[int | str, list[CocoObject]] = {}
        self.left_out: dict[str, str] = {}
        self.remarks: dict[str, str] = {}
        self.segmented = self.boxed = False
        self._without: list[tuple[str, str, str]] = []  # annotations with neither an outline nor a usable box
        self._box_alone: list[tuple[str, str]] = []  # annotations with a box and no outline

    def read(self, entries: list[Any]) -> None:
        """Read all annotations."""
        painted = painted_objects(entries) if self.segmentations else set()
        ids = Counter(entry.get("id") for entry in entries if isinstance(entry, dict) and _hashable(entry))
        for row, entry in enumerate(entries):
            image, category = self._image_and_category(row, entry)
            given = entry.get("id")
            name = f"annotation {row if given is None else given} of image {image}"
            shared = ids[given] if given is not None and _hashable(entry) else 1
            if shared > 1:
                name = f"annotation {given} (annotations[{row}]) of image {image}"
            if image not in self.sizes:
                self.left_out[name] = "its image is not listed in the file"
                continue
            self._add(name, entry, image, category, row in painted, shared)

    def _image_and_category(self, row: int, entry: Any) -> tuple[int | str, int]:
        image, category = values_of(self.path, "annotations", entry, ("image_id", "category_id"))
        name = f"{self.path}, annotations[{row}]: annotation {entry.get('id', row)} of image {image}"
        image, category = id_of(image), whole(category)
        if image is None or category is None:
            raise InputError(f"{name} needs one `image_id` and one `category_id`, a whole number")
        if category not in self.categories:
            raise InputError(
                f"{name} has the category {category}, which is not among `categories` "
                f"({', '.join(map(str, list(self.categories)[:8]))} ...)"
            )
        return image, category

    def _add(
        self,
        name: str,
        entry: Mapping[str, Any],
        image: int | str,
        category: int,
        painted: bool,
        shared: int,
    ) -> None:
        size_hw = self.sizes[image]
        box, why_no_box = box_of(entry.get("bbox"))
        outline, extent, why_no_outline, remark = outline_of(entry.get("segmentation"), size_hw)
        outside = box is not None and clipped(box, size_hw) is None
        if outline is not None and (box is None or outside):
            around = box_of_outline(outline, extent, size_hw)
            if entry.get("bbox") and clipped(around, size_hw) is not None:
                why = why_no_box or f"its box {entry['bbox']} lies outside the image"
                remark = f"{why}; the box around its outline is used"
            box, outside = around, clipped(around, size_hw) is None
        place = None
        if outline is None and box is None:
            place = place_of(entry.get("bbox"), entry.get("segmentation"))
            outside = place is not None and clipped(place, size_hw) is None
        if outside:
            what = "outline" if outline is not None else f"box {entry['bbox']}"
            self.left_out[name] = (
                f"its {what} lies outside the image of {size_hw[1]} x {size_hw[0]} (width x height)"
            )
            return
        crowd = is_marked(entry.get("iscrowd")) and not painted
        area = number(entry.get("area"))
        area = area if area is not None and area >= 0 else None
        found = CocoObject(category, box, crowd, outline, area, place, painted)
        others = self.objects.setdefault(image, [])
        if shared > 1 and found in others:
            self.left_out[name] = "it is an exact copy of another annotation with its id"
            return
        others.append(found)
        self.segmented |= outline is not None
        self.boxed |= box is not None
        if outline is None and box is None:
            self._without.append((name, why_no_outline, why_no_box))
        elif outline is None:
            self._box_alone.append((name, why_no_outline))
        if painted and outline is not None:
            remark = remark or "it is marked `iscrowd`, but is one object painted with a brush"
        if shared > 1:
            remark = remark or f"{shared} annotations have its id; each is read as one of its own"
        if remark:
            self.remarks[name] = remark

    def check_units(self) -> None:
        """Raise an error if coordinates are shares of the image instead of pixels."""
        boxes = [one.box_xyxy for found in self.objects.values() for one in found if one.box_xyxy is not None]
        if are_shares(boxes) and all(min(size) > 4 for size in self.sizes.values()):
            raise InputError(
                f"{self.path}: all boxes and outlines lie between 0 and 1, such as {list(boxes[0])}, so they seem "
                "to be shares of the image; COCO's coordinates are pixels: multiply them by its width and height"
            )

    def ignored(self) -> dict[str, str]:
        """Return the objects whose region is ignored, with the reason."""
        result = {}
        for name, why in self._box_alone:
            if self.segmentations and (self.segmented or why != NO_OUTLINE):
                others = ", but others in the file have one" if why == NO_OUTLINE else ""
                result[name] = f"{why}{others}"
        for name, why_no_outline, why_no_box in self._without:
            if self.segmented or self.boxed:
                reasons = (
                    why_no_box if why_no_outline == NO_OUTLINE else f"{why_no_outline}, and {why_no_box}"
                )
                result[name] = reasons
        return result


def _hashable(entry: Mapping[str, Any]) -> bool:
    return isinstance(entry.get("id"), int | float | str | None)
