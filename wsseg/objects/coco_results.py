"""COCO's two file formats: annotations (true objects of many images) and results (detections in them)."""

import json
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from wsseg.artifacts import image_files
from wsseg.errors import InputError
from wsseg.objects.instance_files import instances_of, read_instance_file
from wsseg.objects.instances import Instances

Entries = list[tuple[str, dict[str, Any]]]
"""`(file and position, entry)`: error messages begin with the former."""


@dataclass(frozen=True)
class AnnotationFile:
    """Content of a COCO annotation file.

    Attributes:
        path: The file.
        sizes_hw: Image id -> height and width.
        image_ids: Image id as text, or stem of the image's file -> image id.
        categories: `category_id` -> name, in increasing order of id: the first is class id 1.
        entries: Image id -> annotations of the image.
        masks: Whether the objects have masks.
    """

    path: Path
    sizes_hw: Mapping[int | str, tuple[int, int]]
    image_ids: Mapping[str, int | str]
    categories: Mapping[int, str]
    entries: Mapping[int | str, Entries]
    masks: bool

    @property
    def class_ids(self) -> dict[int, int]:
        """`category_id` -> class id, 1..K."""
        return {category: number for number, category in enumerate(self.categories, start=1)}

    def instances(self, image_id: int | str) -> Instances:
        """Return the objects of an image.

        Raises:
            InputError: An annotation is broken; the message names it.
        """
        entries = self.entries.get(image_id, [])
        return instances_of(entries, self.sizes_hw[image_id], self.masks, False, self.class_ids)

    def areas(self, image_id: int | str) -> list[float] | None:
        """Return the areas of an image's objects as stated in the file; None unless all are stated."""
        areas = [entry.get("area") for _, entry in self.entries.get(image_id, [])]
        return areas if all(isinstance(area, int | float) and 0 <= area < 1e30 for area in areas) else None


@dataclass(frozen=True)
class Detections:
    """Detections in the images of an annotation file.

    Attributes:
        truth: The annotation file; it defines the image ids and categories.
        entries: Image id -> detections in the image.
        masks: Whether the detections have masks; None if there is no detection at all.
    """

    truth: AnnotationFile
    entries: Mapping[int | str, Entries]
    masks: bool | None

    @property
    def absent(self) -> list[int | str]:
        """Images of the truth that are missing in the predictions."""
        return [image_id for image_id in self.truth.sizes_hw if image_id not in self.entries]

    def instances(self, image_id: int | str) -> Instances:
        """Return the detections of an image; there are none if the predictions do not name the image.

        Raises:
            InputError: An entry is broken; the message names it.
        """
        entries = self.entries.get(image_id, [])
        return instances_of(
            entries, self.truth.sizes_hw[image_id], bool(self.masks), True, self.truth.class_ids
        )


def read_truth(path: Path) -> AnnotationFile:
    """Read a COCO annotation file.

    Raises:
        InputError: The file or an entry is broken; the message names it.
    """
    content = _read(path)
    parts = ("images", "annotations", "categories")
    if not isinstance(content, dict) or not all(isinstance(content.get(part), list) for part in parts):
        raise InputError(
            f"{path} is not a COCO annotation file; expected {{images: [...], annotations: [...], categories: [...]}}"
        )
    sizes_hw: dict[int | str, tuple[int, int]] = {}
    image_ids: dict[str, int | str] = {}
    for index, image in enumerate(content["images"]):
        at = f"{path}, images[{index}]"
        entry = _entry(at, image, "id", "height", "width")
        image_id, size = entry["id"], (entry["height"], entry["width"])
        if not isinstance(image_id, int | str) or not all(
            isinstance(side, int) and side > 0 for side in size
        ):
            raise InputError(f"{at}: expected an id, and height and width in pixels; got {str(entry)[:120]}")
        if image_id in sizes_hw:
            raise InputError(f"{at}: two images have the id {image_id!r}")
        sizes_hw[image_id] = size
        image_ids.setdefault(Path(str(entry.get("file_name", ""))).stem, image_id)
    image_ids |= {str(image_id): image_id for image_id in sizes_hw}  # an id has priority over a file's name
    categories = {}
    for index, category in enumerate(content["categories"]):
        entry = _entry(f"{path}, categories[{index}]", category, "id", "name")
        if not isinstance(entry["id"], int) or entry["id"] in categories:
            raise InputError(f"{path}, categories[{index}]: expected a unique id; got {entry['id']!r}")
        categories[entry["id"]] = str(entry["name"])
    if not sizes_hw or not categories:
        raise InputError(
            f"{path} has {len(sizes_hw)} images and {len(categories)} categories; nothing to score"
        )
    entries: dict[int | str, Entries] = defaultdict(list)
    for index, annotation in enumerate(content["annotations"]):
        at = f"{path}, annotations[{index}]"
        entry = _entry(at, annotation, "image_id", "category_id")
        if not isinstance(entry["image_id"], int | str) or entry["image_id"] not in sizes_hw:
            raise InputError(f"{at}: no image has the id {entry['image_id']!r}")
        entries[entry["image_id"]].append((at, entry))
    masks = any(entry.get("segmentation") for rows in entries.values() for _, entry in rows)
    return AnnotationFile(path, sizes_hw, image_ids, dict(sorted(categories.items())), entries, masks)


def read_results(path: Path, truth: AnnotationFile) -> Detections:
    """Read a file in COCO's results format.

    Args:
        path: The JSON file: a list of `{image_id, category_id, score}` with `bbox`, `segmentation` or both. `image_id`
            is an image id of the truth, or the stem of the image's file.
        truth: Annotation file that defines the image ids and categories.

    Raises:
        InputError: The file is broken or names an image that is not in the truth, or a box has no area; the message
            names the entry.
    """
    content = _read(path)
    if not isinstance(content, list):
        raise InputError(
            f"{path} is not a COCO results file; expected a list of {{image_id, category_id, bbox or segmentation, "
            "score}"
        )
    entries: dict[int | str, Entries] = defaultdict(list)
    for index, detection in enumerate(content):
        at = f"{path}, entry {index}"
        entry = _entry(at, detection, "image_id", "category_id", "score")
        box = entry.get("bbox")
        if isinstance(box, list) and len(box) == 4 and 0 in box[2:]:
            raise InputError(f"{at}: `bbox` [x, y, width, height] has no area: {box}; remove the entry")
        entries[_known_image(at, entry["image_id"], truth)].append((at, entry))
    masks = any(entry.get("segmentation") for entry in content)
    return Detections(truth, entries, masks if content else None)


def read_folder(folder: Path, truth: AnnotationFile) -> Detections:
    """Read a folder of files of `wsseg.objects.instance_files`.

    Args:
        folder: Folder of the files. Their image ids are those of the truth, or stems of its image files. Their classes
            are matched by name; in a file without class names, `category_id` is that of the truth.
        truth: Annotation file that defines the image ids and categories.

    Raises:
        InputError: A file is broken, or names an image or class that is not in the truth; the message names the file.
    """
    entries: dict[int | str, Entries] = {}
    kinds = set()
    for _, path in image_files(folder, ".json"):
        stored = read_instance_file(path)
        image_id = _known_image(str(path), stored.image_id, truth)
        if image_id in entries:
            raise InputError(
                f"{path} and another file of {folder} are both of image {image_id!r}; remove one of the two"
            )
        if stored.size_hw != truth.sizes_hw[image_id]:
            raise InputError(
                f"{path} has (H, W) {stored.size_hw}, its image {truth.sizes_hw[image_id]} in {truth.path}"
            )
        entries[image_id] = stored.entries
        if stored.class_names is not None:
            entries[image_id] = _by_name(path, stored.class_names, stored.entries, truth)
        if stored.entries:
            kinds.add(stored.masks)
    if not entries:
        raise InputError(
            f"{folder} holds no JSON file; expected one file of wsseg.objects.instance_files per image"
        )
    if len(kinds) == 2:
        raise InputError(
            f"some files of {folder} have masks and some have none; give the files of one detector"
        )
    return Detections(truth, entries, kinds.pop() if kinds else None)


def _by_name(path: Path, class_names: tuple[str, ...], entries: Entries, truth: AnnotationFile) -> Entries:
    """Replace the class ids of a file by the categories of the same names."""
    by_name = {name: category for category, name in truth.categories.items()}
    for name in class_names:
        if name not in by_name:
            raise InputError(
                f"{path} has the class `{name}`, which is not a category of {truth.path}; its categories are "
                f"{', '.join(list(by_name)[:10])}" + (" ..." if len(by_name) > 10 else "")
            )
    categories = {number: by_name[name] for number, name in enumerate(class_names, start=1)}
    result = []
    for at, entry in entries:
        number = _entry(at, entry, "category_id")["category_id"]
        if not isinstance(number, int) or number not in categories:
            raise InputError(
                f"{at}: `category_id` {number!r} is not among the file's classes 1..{len(class_names)}"
            )
        result.append((at, entry | {"category_id": categories[number]}))
    return result


def _known_image(where: str, image_id: Any, truth: AnnotationFile) -> int | str:
    known = truth.image_ids.get(str(image_id))
    if known is None:
        raise InputError(
            f"{where}: {truth.path} has no image {image_id!r}; it has {len(truth.sizes_hw)} images, such as "
            f"{next(iter(truth.sizes_hw))!r}"
        )
    return known


def _entry(where: str, entry: Any, *names: str) -> dict[str, Any]:
    if not isinstance(entry, dict) or not set(names) <= set(entry):
        raise InputError(f"{where}: expected {{{', '.join(names)}, ...}}; got {str(entry)[:80]}")
    return entry


def _read(path: Path) -> Any:
    try:
        return json.loads(path.read_text())
    except OSError as error:
        raise InputError(f"{path} cannot be read ({error.strerror}); expected a JSON file") from error
    except (ValueError, RecursionError) as error:  # broken JSON, bytes that are not text, endless nesting
        raise InputError(f"{path} is not valid JSON ({error})") from error
