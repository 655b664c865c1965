"""Write a dataset in COCO's format: images and a JSON file of annotations per split, as dataset `coco` reads them.

A mask becomes run lengths: one annotation per object where the dataset knows objects, one per class for the rest.
Ignored pixels (255) are a crowd of a label of the image, which readers of COCO's files do not score.
"""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from wsseg.artifacts import IGNORE, write_atomically
from wsseg.datasets.dataset import Dataset
from wsseg.datasets.record import Record
from wsseg.datasets.written_split import Copy, WrittenSplit
from wsseg.errors import InputError
from wsseg.image_files import image_size_hw
from wsseg.objects.run_length import encode_masks
from wsseg.progress import bar

CROWDS = 900_100_000_000
"""First id of crowds, as COCO numbers them."""


def write_coco(out: Path, parts: Sequence[WrittenSplit], copy: Copy) -> list[str]:
    """Write splits.

    Args:
        out: Empty folder.
        parts: The splits, all of the same classes.
        copy: Function that writes an image.

    Returns:
        Lines about what cannot be said in COCO's format.
    """
    lost: dict[str, str] = {}
    for part in parts:
        dataset, images = part.dataset, []
        rows = _Annotations(dataset)
        with bar(f"writing {dataset.split}", len(dataset)) as advance:
            for number, record in enumerate(dataset, 1):
                file = copy(record, out / "images" / dataset.split / part.names[record.id])
                height, width = image_size_hw(file)
                images.append({"id": number, "file_name": file.name, "height": height, "width": width})
                if why := rows.add(record, number):
                    lost[record.id] = why
                advance()
        content = {
            "images": images,
            "annotations": rows.entries,
            "categories": [{"id": number, "name": name} for number, name in enumerate(dataset.classes, 1)],
        }
        path = out / "annotations" / f"instances_{dataset.split}.json"
        path.parent.mkdir(exist_ok=True)
        _write_json(path, content)
    if not lost:
        return []
    first, why = next(iter(lost.items()))
    return [f"{len(lost):,} images are not written in full; the first: {first}: {why}"]


def _write_json(path: Path, content: Any) -> None:
    text = json.dumps(content, ensure_ascii=False)
    write_atomically(path, lambda stream: stream.write(text.encode()))


class _Annotations:
    """The annotations of one split, as they are added image by image."""

    def __init__(self, dataset: Dataset):
        self.dataset = dataset
        self.entries: list[dict[str, Any]] = []
        self.masks = any(record.mask is not None for record in dataset)

    def add(self, record: Record, image: int) -> str | None:
        """Add the annotations of an image; return what could not be said, or None."""
        dataset, why = self.dataset, None
        labels = {dataset.classes.index(label) + 1 for label in record.labels}
        if record.mask is not None:
            try:
                return self._add_mask(record, image, labels)
            except InputError as error:
                why = f"its mask is left out: {error}"
        elif dataset.knows_boxes and not self.masks:
            boxes = dataset.read_boxes(record)
            for number, box, crowd in zip(boxes.class_ids, boxes.boxes_xyxy, boxes.crowd, strict=True):
                left, top, right, bottom = (float(side) for side in box)
                self._append(image, int(number), bool(crowd), bbox=[left, top, right - left, bottom - top])
            labels -= set(boxes.class_ids.tolist())
        for number in sorted(labels):
            self._append(image, number, False)
        if self.masks and not labels and why is None:
            why = "it has no mask and no label, and COCO's format takes it for background"
        return why

    def _add_mask(self, record: Record, image: int, labels: set[int]) -> str | None:
        mask = self.dataset.read_mask(record)
        left, drawn = mask.copy(), set()
        if record.instances is not None:
            objects = self.dataset.read_instances(record)
            if objects.masks is not None:
                for number, pixels, crowd in zip(
                    objects.class_ids, objects.masks, objects.crowd, strict=True
                ):
                    inside = pixels & (left == (IGNORE if crowd else number))
                    if inside.any():
                        self._append(image, int(number), bool(crowd), pixels=inside)
                        drawn.add(int(number))
                        left[inside] = 0
        for number in np.unique(left).tolist():
            if number not in (0, IGNORE):
                self._append(image, number, False, pixels=left == number)
                drawn.add(number)
        ignored = left == IGNORE
        hidden = sorted(labels - drawn)
        if ignored.any():
            for number in hidden or sorted(labels | drawn)[:1]:
                self._append(image, number, True, pixels=ignored)
            if not (labels | drawn):
                return "its ignored pixels belong to no class, and COCO's format takes them for background"
        elif hidden:
            names = ", ".join(self.dataset.classes[number - 1] for number in hidden)
            return f"its mask has no pixel of its label {names}, which is left out"
        if extra := sorted(drawn - labels):
            names = ", ".join(self.dataset.classes[number - 1] for number in extra)
            return f"its mask has {names}, which becomes a label"
        return None

    def _append(
        self,
        image: int,
        category: int,
        crowd: bool,
        pixels: np.ndarray | None = None,
        bbox: list[float] | None = None,
    ) -> None:
        number = len(self.entries) + 1
        entry: dict[str, Any] = {"id": CROWDS + number if crowd else number, "image_id": image}
        entry |= {"category_id": category, "iscrowd": int(crowd)}
        if pixels is not None:
            (entry["segmentation"],) = encode_masks(pixels[None])
            down, right = np.flatnonzero(pixels.any(axis=1)), np.flatnonzero(pixels.any(axis=0))
            bbox = [int(right[0]), int(down[0]), int(np.ptp(right)) + 1, int(np.ptp(down)) + 1]
            entry["area"] = int(pixels.sum())
        if bbox is not None:
            entry["bbox"] = bbox
            entry.setdefault("area", bbox[2] * bbox[3])
        self.entries.append(entry)
