"""COCO's two files: annotations, the truth of many images, and results, what was detected in them."""

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
"""`(file and place, entry)`: the former begins an error message."""


@dataclass(frozen=True)
class AnnotationFile:
    """What a COCO annotation file says.

    Attributes:
        path: The file.
        sizes_hw: Image id -> height and width.
        image_ids: Image id as text, or stem of the image's file -> image id.
        categories: `category_id` -> name, by rising id: the first is class id 1.
        entries: Image id -> its annotations.
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
        """Return the areas that the file states for the objects of an image; None unless it does for all."""
        areas = [entry.get("area") for _, entry in self.entries.get(image_id, [])]
        return areas if all(isinstance(area, int | float) and 0 <= area < 1e30 for area in areas) else None


@dataclass(frozen=True)
class Detections:
    """What was detected in the images of a truth.

    Attributes:
        truth: The truth that the ids below are of.
        entries: Image id -> its detections.
        masks: Whether they have masks; None if there is no detection at all.
    """

    truth: AnnotationFile
    entries: Mapping[int | str, Entries]
    masks: bool | None

    @property
    def absent(self) -> list[int | str]:
        """Images of the truth that the predictions do not name."""
        return [image_id for image_id in self.truth.sizes_hw if image_id not in self.entries]

    def instances(self, image_id: int | str) -> Instances:
        """Return the detections of an image, none of one that is not named.

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
        InputError: It is broken, or an entry is; the message names it.
    """
    content = _read(path)
    parts = ("images", "annotations", "categories")
    if not isinstance(content, dict) or not all(isinstance(content.get(part), list) for part in parts):
        raise InputError(
            f"{path} is no COCO annotation file; expected {{images: [...], annotations: [...], categories: [...]}}"
        )
    sizes_hw: dict[int | str, tuple[int, int]] = {}
    image_ids: dict[str, int | str] = {}
    for place, image in enumerate(content["images"]):
        at = f"{path}, images[{place}]"
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
    image_ids |= {str(image_id): image_id for image_id in sizes_hw}  # an id goes before a file's name
    categories = {}
    for place, category in enumerate(content["categories"]):
        entry = _entry(f"{path}, categories[{place}]", category, "id", "name")
        if not isinstance(entry["id"], int) or entry["id"] in categories:
            raise InputError(f"{path}, categories[{place}]: expected an id of its own; got {entry['id']!r}")
        categories[entry["id"]] = str(entry["name"])
    if not sizes_hw or not categories:
        raise InputError(
            f"{path} has {len(sizes_hw)} images and {len(categories)} categories; nothing to score"
        )
    entries: dict[int | str, Entries] = defaultdict(list)
    for place, annotation in enumerate(content["annotations"]):
        at = f"{path}, annotations[{place}]"
        entry = _entry(at, annotation, "image_id", "category_id")
        if not isinstance(entry["image_id"], int | str) or entry["image_id"] not in sizes_hw:
            raise InputError(f"{at}: no image has the id {entry['image_id']!r}")
        entries[entry["image_id"]].append((at, entry))
    masks = any(entry.get("segmentation") for rows in entries.values() for _, entry in rows)
    return AnnotationFile(path, sizes_hw, image_ids, dict(sorted(categories.items())), entries, masks)


def read_results(path: Path, truth: AnnotationFile) -> Detections:
    """Read a file in COCO's results format.

    Args:
        path: A list of `{image_id, category_id, score}` and `bbox`, `segmentation` or both. `image_id` is the truth's,
            or the stem of the image's file.
        truth: What the ids are of.

    Raises:
        InputError: It is broken, or names an image that is not in the truth, or a box has no area; the message names
            the entry.
    """
    content = _read(path)
    if not isinstance(content, list):
        raise InputError(
            f"{path} is no COCO results file; expected a list of {{image_id, category_id, bbox or segmentation, "
            "score}"
        )
    entries: dict[int | str, Entries] = defaultdict(list)
    for place, detection in enumerate(content):
        at = f"{path}, entry {place}"
        entry = _entry(at, detection, "image_id", "category_id", "score")
        box = entry.get("bbox")
        if isinstance(box, list) and len(box) == 4 and 0 in box[2:]:
            raise InputError(f"{at}: `bbox` [x, y, width, height] has no area: {box}; leave it out")
        entries[_known_image(at, entry["image_id"], truth)].append((at, entry))
    masks = any(entry.get("segmentation") for entry in content)
    return Detections(truth, entries, masks if content else None)


def read_folder(folder: Path, truth: AnnotationFile) -> Detections:
    """Read a folder of files of `wsseg.objects.instance_files`.

    Args:
        folder: Where they are. Their image ids are the truth's, or stems of its files; their classes are found by
            name, or are the truth's `category_id` where a file names none.
        truth: What they are of.

    Raises:
        InputError: A file is broken, or names what is not in the truth; the message names it.
    """
    entries: dict[int | str, Entries] = {}
    kinds = set()
    for _, path in image_files(folder, ".json"):
        stored = read_instance_file(path)
        image_id = _known_image(str(path), stored.image_id, truth)
        if image_id in entries:
            raise InputError(f"{path} is of image {image_id!r}, which another file of {folder} is of, too")
        if stored.size_hw != truth.sizes_hw[image_id]:
            raise InputError(
                f"{path} is of (H, W) {stored.size_hw}, its image of {truth.sizes_hw[image_id]} in {truth.path}"
            )
        entries[image_id] = stored.entries
        if stored.class_names is not None:
            entries[image_id] = _by_name(path, stored.class_names, stored.entries, truth)
        if stored.entries:
            kinds.add(stored.masks)
    if not entries:
        raise InputError(
            f"{folder} holds no JSON; expected one file of wsseg.objects.instance_files for each image"
        )
    if len(kinds) == 2:
        raise InputError(
            f"some files of {folder} have masks and some have none; they are not of one detector"
        )
    return Detections(truth, entries, kinds.pop() if kinds else None)


def _by_name(path: Path, class_names: tuple[str, ...], entries: Entries, truth: AnnotationFile) -> Entries:
    """Replace the class ids of a file by the categories of the same names."""
    by_name = {name: category for category, name in truth.categories.items()}
    for name in class_names:
        if name not in by_name:
            raise InputError(
                f"{path} has the class `{name}`, which is no category of {truth.path}; it has "
                f"{', '.join(list(by_name)[:10])}" + (" ..." if len(by_name) > 10 else "")
            )
    categories = {number: by_name[name] for number, name in enumerate(class_names, start=1)}
    result = []
    for at, entry in entries:
        number = _entry(at, entry, "category_id")["category_id"]
        if not isinstance(number, int) or number not in categories:
            raise InputError(
                f"{at}: `category_id` {number!r} is beyond the file's {len(class_names)} classes"
            )
        result.append((at, entry | {"category_id": categories[number]}))
    return result


def _known_image(where: str, image_id: Any, truth: AnnotationFile) -> int | str:
    known = truth.image_ids.get(str(image_id))
    if known is None:
        raise InputError(
            f"{where}: {truth.path} has no image {image_id!r}; it has {len(truth.sizes_hw)}, such as "
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
    except (ValueError, RecursionError) as error:  # broken JSON, bytes that are no text, brackets without end
        raise InputError(f"{path} is not valid JSON ({error})") from error
