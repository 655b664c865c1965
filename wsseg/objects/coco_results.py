"""Detections in the images of a COCO annotation file: COCO's results, or a folder of files of single images."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from wsseg.artifacts import image_files
from wsseg.errors import InputError
from wsseg.objects.coco_truth import CocoObjects
from wsseg.objects.coco_values import id_of, number, read_coco_json, whole
from wsseg.objects.instance_files import instances_of, read_instance_file
from wsseg.objects.instances import Instances

Entries = list[tuple[str, dict[str, Any]]]
"""`(file and position, entry)`: messages begin with the former."""


@dataclass(frozen=True)
class Detections:
    """Detections in the images of an annotation file.

    Attributes:
        truth: The annotation file; it defines the image ids and categories.
        entries: Image id -> detections in the image.
        masks: Whether the detections have masks; None if there is no detection at all.
        boxes: Whether they have boxes of their own. If not, COCO's sizes are those of the masks in all rows.
        set_aside: Detections that cannot be used, `file and position -> reason`. `instances` adds to them.
    """

    truth: CocoObjects
    entries: Mapping[int | str, Entries]
    masks: bool | None
    boxes: bool = True
    set_aside: dict[str, str] = field(default_factory=dict)

    @property
    def absent(self) -> list[int | str]:
        """Images of the truth that are missing in the predictions."""
        return [image_id for image_id in self.truth.index.images if image_id not in self.entries]

    def instances(self, image_id: int | str) -> Instances:
        """Return the usable detections of an image; there are none if the predictions do not name the image."""
        entries, size_hw = self.entries.get(image_id, []), self.truth.index.images[image_id].size_hw
        return instances_of(entries, size_hw, bool(self.masks), True, self.truth.class_ids, self.set_aside)

    def areas(self, found: Instances) -> np.ndarray | None:
        """Return the areas in pixels that COCO's code gives to detections without boxes; None for those with boxes."""
        if self.boxes or found.masks is None:
            return None
        return found.masks.sum(axis=(1, 2)).astype(np.float64)


def read_results(path: Path, truth: CocoObjects) -> Detections:
    """Read a file in COCO's results format.

    A detection that cannot be used is set aside with a reason: it lacks a part, its image or category is not in the
    truth, its box has no area, its score is not a number. Numbers may be written as text, and whole numbers as floats.

    Args:
        path: The JSON file: a list of `{image_id, category_id, score}` with `bbox`, `segmentation` or both. `image_id`
            is an image id of the truth, or the file name of the image, or its stem.
        truth: Annotation file that defines the image ids and categories.

    Raises:
        InputError: The file is broken, no detection can be used, or its images or categories are numbered otherwise
            than in the truth.
    """
    content = read_coco_json(path, "COCO's results: a list of detections")
    if not isinstance(content, list):
        raise InputError(
            f"{path} is not a COCO results file; expected a list of {{image_id, category_id, bbox or segmentation, "
            "score}"
        )
    entries: dict[int | str, Entries] = {}
    set_aside: dict[str, str] = {}
    found: dict[str, set[int | str | None]] = {"image_id": set(), "category_id": set()}
    masks = any(isinstance(entry, dict) and entry.get("segmentation") for entry in content)
    boxes = not masks or any(isinstance(entry, dict) and entry.get("bbox") for entry in content)
    for index, entry in enumerate(content):
        at = f"{path}, entry {index}"
        why = _why_unusable(entry)
        if not why:
            found["image_id"].add(id_of(entry["image_id"]))
            found["category_id"].add(whole(entry["category_id"]))
            image_id, why = truth.find(entry["image_id"])
            category = whole(entry["category_id"])
            if not why and category not in truth.class_ids:
                why = f"there is no category {category!r}; {_expected(truth.class_ids)}"
        if why:
            set_aside[at] = why
        else:
            entries.setdefault(image_id, []).append((at, _plain(entry)))
    named = {name for name in found["image_id"] if truth.find(name)[0] not in (None, name)}
    _check_numbering(path, "image_id", found["image_id"] - named, list(truth.index.images), bool(set_aside))
    _check_numbering(path, "category_id", found["category_id"], list(truth.class_ids), bool(set_aside))
    if content and not entries:
        at, why = next(iter(set_aside.items()))
        raise InputError(f"no detection of {path} can be used; the first, {at}: {why}")
    return Detections(truth, entries, masks if content else None, boxes, set_aside)


def _why_unusable(entry: Any) -> str:
    wanted = ("image_id", "category_id", "score")
    if not isinstance(entry, dict) or not set(wanted) <= set(entry):
        return f"expected {{{', '.join(wanted)}, ...}}; got {str(entry)[:80]}"
    box = entry.get("bbox")
    if isinstance(box, list) and len(box) == 4 and 0 in [number(side) for side in box[2:]]:
        return f"`bbox` [x, y, width, height] has no area: {box}"
    return ""


def _plain(entry: dict[str, Any]) -> dict[str, Any]:
    """Return an entry with numbers instead of their text."""
    box, score = entry.get("bbox"), number(entry["score"])
    values = [number(value) for value in box] if isinstance(box, list) else [None]
    return entry | {
        "category_id": whole(entry["category_id"]),
        "bbox": box if None in values else values,
        "score": entry["score"] if score is None else score,
    }


def _check_numbering(
    path: Path, name: str, found: set[int | str | None], there: Sequence[int | str], unusable: bool
) -> None:
    """Raise an error if unknown ids show that all ids are numbered otherwise, so that the known ones are wrong too.

    A single wrong id is no such sign. That all ids lie in 0..K-1 or 1..K, and some are unknown, is one: they number the
    K images or categories of the truth from 0 or 1.
    """
    numbers = {one for one in found if isinstance(one, int)}
    unknown = numbers - set(there)
    if not unusable or not unknown or len(numbers) == len(unknown):
        return
    for first in (0, 1):
        if min(numbers) >= first and max(numbers) < len(there) + first:
            raise InputError(
                f"{path}: `{name}` {min(unknown)} is not in the truth, and all ids lie in {first}.."
                f"{len(there) + first - 1}: they seem to number the {len(there)} of the truth anew; {_expected(there)}"
            )


def _expected(ids: Sequence[int | str] | Mapping[int, int]) -> str:
    shown = ", ".join(map(str, list(ids)[:10]))
    return f"expected one of {shown}" + (" ..." if len(ids) > 10 else "")


def read_folder(folder: Path, truth: CocoObjects) -> Detections:
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
        image_id, why = truth.find(stored.image_id)
        if why:
            raise InputError(f"{path}: {why}")
        if image_id in entries:
            raise InputError(
                f"{path} and another file of {folder} are both of image {image_id!r}; remove one of the two"
            )
        size_hw = truth.index.images[image_id].size_hw
        if stored.size_hw != size_hw:
            raise InputError(f"{path} has (H, W) {stored.size_hw}, its image {size_hw} in {truth.index.path}")
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


def _by_name(path: Path, class_names: tuple[str, ...], entries: Entries, truth: CocoObjects) -> Entries:
    """Replace the class ids of a file by the categories of the same names."""
    by_name = {name: category for category, name in truth.index.categories.items()}
    for name in class_names:
        if name not in by_name:
            raise InputError(
                f"{path} has the class `{name}`, which is not a category of {truth.index.path}; its categories are "
                f"{', '.join(list(by_name)[:10])}" + (" ..." if len(by_name) > 10 else "")
            )
    categories = {number: by_name[name] for number, name in enumerate(class_names, start=1)}
    result = []
    for at, entry in entries:
        given = whole(entry.get("category_id")) if isinstance(entry, dict) else None
        if given not in categories:
            raise InputError(
                f"{at}: `category_id` {given!r} is not among the file's classes 1..{len(class_names)}"
            )
        result.append((at, entry | {"category_id": categories[given]}))
    return result
