"""Objects of one image as a JSON file, whose entries have COCO's results format."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from wsseg.artifacts import read_json, write_atomically
from wsseg.errors import InputError
from wsseg.objects.instances import Instances, boxes_of_masks
from wsseg.objects.run_length import decode_mask, encode_masks


@dataclass(frozen=True)
class InstanceFile:
    """Content of a file written by `write_instances`; masks are not decoded yet.

    Attributes:
        image_id: Id of the image.
        size_hw: Height and width of the image.
        masks: Whether the objects have masks.
        scored: Whether the objects have scores.
        class_names: Names of the class ids 1..K, or None if the file has none.
        entries: `(file and position, entry)` of each object.
    """

    image_id: str
    size_hw: tuple[int, int]
    masks: bool
    scored: bool
    class_names: tuple[str, ...] | None
    entries: list[tuple[str, dict[str, Any]]]


def write_instances(
    path: Path, instances: Instances, image_id: str, class_names: Sequence[str] | None = None
) -> None:
    """Write the objects of one image, atomically.

    Args:
        path: The JSON file. Its `detections` is a list in COCO's results format; the list is empty for an image
            without objects.
        instances: True or predicted objects. Their class id is written as `category_id`.
        image_id: Id of the image.
        class_names: Names of the class ids 1..K; `wsseg evaluate` uses them to find the categories in COCO
            annotations.

    Raises:
        InputError: The file cannot be written.
    """
    names = {} if class_names is None else {"class_names": list(class_names)}
    content = {
        "image_id": image_id,
        "size": list(instances.size_hw),
        "masks": instances.masks is not None,
        "scored": instances.scores is not None,
        **names,
        "detections": entries_of(instances, image_id),
    }
    write_atomically(Path(path), lambda file: file.write(json.dumps(content).encode()))


def read_instances(path: Path, size_hw: tuple[int, int] | None = None) -> Instances:
    """Read objects written by `write_instances`; the arrays are equal to those written.

    Args:
        path: The JSON file.
        size_hw: Expected height and width of the image; None for no check.

    Raises:
        InputError: The file is missing, is broken or has another size; the message names the file and the entry.
    """
    stored = read_instance_file(path)
    if size_hw is not None and stored.size_hw != tuple(size_hw):
        raise InputError(f"{path} belongs to an image of (H, W) {stored.size_hw}; expected {tuple(size_hw)}")
    return instances_of(stored.entries, stored.size_hw, stored.masks, stored.scored)


def read_instance_file(path: Path) -> InstanceFile:
    """Read a file written by `write_instances` without decoding its entries.

    Raises:
        InputError: The file is missing or broken; the message names it.
    """
    content = read_json(path)
    wanted = {"image_id": str, "size": list, "masks": bool, "scored": bool, "detections": list}
    if not isinstance(content, dict) or not all(isinstance(content.get(k), t) for k, t in wanted.items()):
        raise InputError(
            f"{path} is not a file of one image's objects; expected {{image_id, size, masks, scored, detections}}, "
            "as written by wsseg; delete it and run again"
        )
    size, names = content["size"], content.get("class_names")
    if len(size) != 2 or not all(isinstance(side, int) and side > 0 for side in size):
        raise InputError(f"{path}: `size` must be [H, W]; got {size}")
    if names is not None and not (isinstance(names, list) and all(isinstance(name, str) for name in names)):
        raise InputError(f"{path}: `class_names` must be a list of names; got {str(names)[:60]}")
    return InstanceFile(
        content["image_id"],
        tuple(size),
        content["masks"],
        content["scored"],
        None if names is None else tuple(names),
        [(f"{path}, detection {i}", entry) for i, entry in enumerate(content["detections"])],
    )


def entries_of(instances: Instances, image_id: str | int) -> list[dict[str, Any]]:
    """Return objects in COCO's results format, as plain Python values for JSON.

    Returns:
        `{"image_id", "category_id", "bbox": [x, y, width, height]}` for each object, with `score` if it is predicted,
        `segmentation` (compressed run lengths) if there are masks, and `"iscrowd": 1` if it is a crowd.

    Example:
        >>> found = Instances([3], [[1, 0, 3, 2]], (2, 4), scores=[0.5])
        >>> entries_of(found, "a")
        [{'image_id': 'a', 'category_id': 3, 'bbox': [1.0, 0.0, 2.0, 2.0], 'score': 0.5}]
    """
    entries = []
    runs = None if instances.masks is None else encode_masks(instances.masks)
    for row, (left, top, right, bottom) in enumerate(instances.boxes_xyxy.astype(np.float64).tolist()):
        entry = {
            "image_id": image_id,
            "category_id": int(instances.class_ids[row]),
            "bbox": [left, top, right - left, bottom - top],
        }
        if instances.scores is not None:
            entry["score"] = float(instances.scores[row])
        if runs is not None:
            entry["segmentation"] = runs[row]
        if instances.crowd[row]:
            entry["iscrowd"] = 1
        entries.append(entry)
    return entries


def instances_of(
    entries: Sequence[tuple[str, Mapping[str, Any]]],
    size_hw: tuple[int, int],
    masks: bool,
    scored: bool,
    class_ids: Mapping[int, int] | None = None,
    set_aside: dict[str, str] | None = None,
) -> Instances:
    """Make instances from the entries of COCO results or annotations.

    Args:
        entries: `(source, entry)` of each object of one image; error messages begin with the source.
        size_hw: Height and width of the image.
        masks: Whether each entry must have a `segmentation`; then `bbox` may be missing and is computed from the mask.
        scored: Whether each entry must have a `score`.
        class_ids: `category_id` -> class id 1..K; None if they are equal.
        set_aside: Where entries that are not as expected are added, `source -> reason`; None to raise an error.

    Raises:
        InputError: An entry is not as expected, and there is no `set_aside`.
    """
    ids, boxes, decoded, scores, crowd = [], [], [], [], []
    for where, entry in entries:
        try:
            class_id = _class_id(entry, class_ids)
            mask = decode_mask(entry.get("segmentation"), size_hw) if masks else None
            around = mask is not None and not entry.get("bbox")
            box = boxes_of_masks(mask[None])[0] if around else _box(entry)
            score = _score(entry) if scored else None
        except InputError as error:
            if set_aside is None:
                raise InputError(f"{where}: {error}") from error
            set_aside[where] = str(error)
            continue
        ids.append(class_id)
        decoded.append(mask)
        boxes.append(box)
        scores.append(score)
        crowd.append(bool(entry.get("iscrowd", 0)))
    return Instances(
        np.array(ids, np.int32),
        np.array(boxes, np.float64).reshape(-1, 4),
        size_hw,
        # Column by column in memory, like run lengths: decoding and encoding are several times faster.
        np.array([mask.T for mask in decoded], bool).reshape(-1, *size_hw[::-1]).swapaxes(1, 2)
        if masks
        else None,
        np.array(scores) if scored else None,
        np.array(crowd, bool),
    )


def _class_id(entry: Mapping[str, Any], class_ids: Mapping[int, int] | None) -> int:
    if not isinstance(entry, Mapping):
        raise InputError(f"expected an entry {{image_id, category_id, ...}}; got {str(entry)[:60]}")
    category = entry.get("category_id")
    if not isinstance(category, int) or category < 0 or category > 2**31 - 1:
        raise InputError(f"`category_id` must be a whole number; got {category!r}")
    if class_ids is not None and category not in class_ids:
        raise InputError(
            f"there is no category {category}; expected one of {', '.join(map(str, list(class_ids)[:10]))}"
            + (" ..." if len(class_ids) > 10 else "")
        )
    return category if class_ids is None else class_ids[category]


def _box(entry: Mapping[str, Any]) -> tuple[float, float, float, float]:
    box = entry.get("bbox")
    if not isinstance(box, list) or len(box) != 4 or not all(_is_finite(value) for value in box):
        raise InputError(f"`bbox` must be [x, y, width, height], finite; got {str(box)[:60]}")
    left, top, width, height = box
    if width < 0 or height < 0:
        raise InputError(f"`bbox` [x, y, width, height] has a negative side; got {box}")
    return left, top, left + width, top + height


def _score(entry: Mapping[str, Any]) -> float:
    score = entry.get("score")
    if not _is_finite(score):
        raise InputError(f"`score` must be a finite number; got {score!r}")
    return score


def _is_finite(value: Any) -> bool:
    return isinstance(value, int | float) and abs(value) < 1e30  # not nan, not infinity
