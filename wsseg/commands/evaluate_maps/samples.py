"""The images that maps are made of, the classes that are explained, and where these are in the image."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from PIL import Image

from wsseg.artifacts import IGNORE
from wsseg.commands.photographs import ANY_SIZE
from wsseg.datasets import Dataset, Record
from wsseg.errors import InputError
from wsseg.faithfulness import Scorer
from wsseg.image_files import read_image
from wsseg.places import boxes_at_levels
from wsseg.progress import bar

ANY_OBJECT = "object"
"""The label of a target that is no class of the dataset."""


@dataclass(frozen=True)
class Sample:
    """An image and the classes that are explained in it.

    Attributes:
        record: The image, its labels and, maybe, its mask.
        labels: `(T,)` names of the dataset's classes, or `ANY_OBJECT`.
        targets: `(T,)` outputs of the model.
        scores: `(T,)` probabilities that the model gives them.
    """

    record: Record
    labels: tuple[str, ...]
    targets: tuple[int, ...]
    scores: tuple[float, ...]


@dataclass(frozen=True)
class Place:
    """Where a class is in an image.

    Attributes:
        object_hw: `(H, W)` bool: its pixels, at the image's own size.
        ignored_hw: `(H, W)` bool: pixels of which nobody knows.
        boxes_xyxy: `(n, 4)` boxes of its connected components.
    """

    object_hw: np.ndarray
    ignored_hw: np.ndarray
    boxes_xyxy: np.ndarray


@dataclass
class Samples:
    """The images of an evaluation.

    Attributes:
        items: The samples.
        set_aside: Images that can't be used, `id -> reason`.
        dataset: Reads the masks; None without masks.
        size_hw: Of the model's input; None for any.
    """

    size_hw: tuple[int | None, int | None]
    dataset: Dataset | None = None
    items: list[Sample] = field(default_factory=list)
    set_aside: dict[str, str] = field(default_factory=dict)

    def image(self, sample: Sample) -> np.ndarray:
        """Return the image as the model takes it, before its preprocessing: `(H, W, 3)` float32 in [0, 255]."""
        return model_image(sample.record.image, self.size_hw)

    def places(self, sample: Sample) -> list[Place | None]:
        """Return where each target is; None for one that the mask does not show.

        Raises:
            InputError: The mask can't be read.
        """
        mask = self.dataset.read_mask(sample.record)
        ignored = mask == IGNORE
        result: list[Place | None] = []
        for label in sample.labels:
            if label == ANY_OBJECT:
                parts = [mask == value for value in np.unique(mask) if value not in (0, IGNORE)]
            else:
                parts = [mask == self.dataset.classes.index(label) + 1]
            boxes = [boxes_at_levels(part.astype(np.float32), [0.5])[0] for part in parts if part.any()]
            if boxes:
                result.append(Place(np.logical_or.reduce(parts), ignored, np.concatenate(boxes)))
            else:
                result.append(None)
        return result


def model_image(path: Path, size_hw: tuple[int | None, int | None]) -> np.ndarray:
    """Read an image at the size that a model takes, as `wsseg explain` does.

    Args:
        path: The file.
        size_hw: The model's; where a side is None, the long side becomes `ANY_SIZE` and both a multiple of 32.

    Returns:
        `(H, W, 3)` float32 RGB in [0, 255].

    Raises:
        InputError: The file can't be read.
    """
    image = read_image(path)
    height, width = size_hw
    if height is None or width is None:
        scale = ANY_SIZE / max(image.shape[:2])
        height, width = (max(round(side * scale / 32), 1) * 32 for side in image.shape[:2])
    small = Image.fromarray(image).resize((width, height), Image.Resampling.BILINEAR)
    return np.asarray(small, np.float32)


def photographs(folder: Path) -> list[Record]:
    """Return the images of a folder as records without labels.

    Raises:
        InputError: It is no folder, or holds no image.
    """
    if not folder.is_dir():
        raise InputError(f"--photographs {folder} is not a folder; give one that holds images")
    known = Image.registered_extensions()
    paths = [path for path in sorted(folder.iterdir()) if path.suffix.lower() in known and path.is_file()]
    paths = [path for path in paths if not path.name.startswith(".")]
    if not paths:
        raise InputError(f"--photographs {folder} holds no image; expected files such as photo.jpg")
    return [Record(path.name, path, ()) for path in paths]


def draw(records: list[Record], count: int, seed: int) -> list[Record]:
    """Return `count` of the records (all for 0) in their order, drawn by the seed."""
    if not 0 < count < len(records):
        return records
    index = np.random.default_rng(seed).choice(len(records), count, replace=False)
    return [records[i] for i in sorted(index)]


def gather(
    records: list[Record],
    scorer: Scorer,
    outputs: Mapping[str, tuple[int, ...]] | None,
    dataset: Dataset | None = None,
) -> Samples:
    """Read every image once, and choose the classes to explain.

    Args:
        records: The images.
        scorer: The model.
        outputs: Class -> the model's outputs, of which the likeliest is explained; None for the model's
            first class of all.
        dataset: Reads the masks; None without masks.

    Raises:
        InputError: No image can be used.
    """
    samples, kept = Samples(scorer.size_hw, dataset), []

    def readable() -> Iterator[np.ndarray]:
        with bar("reading", len(records)) as advance:
            for record in records:
                advance()
                try:
                    if outputs is not None and not any(label in outputs for label in record.labels):
                        raise InputError(
                            f"none of its labels ({', '.join(record.labels) or 'none'}) has an output of the model"
                        )
                    image = model_image(record.image, scorer.size_hw)
                    if dataset is not None:
                        dataset.read_mask(record)
                except InputError as error:
                    samples.set_aside[record.id] = str(error)
                    continue
                kept.append(record)
                yield image

    scores = scorer(readable())
    for record, row in zip(kept, scores, strict=True):
        if outputs is None:
            chosen = {ANY_OBJECT: int(row.argmax())}
        else:
            chosen = {
                label: max(outputs[label], key=lambda index: row[index])
                for label in record.labels
                if label in outputs
            }
        targets = tuple(chosen.values())
        samples.items.append(Sample(record, tuple(chosen), targets, tuple(float(row[t]) for t in targets)))
    if not samples.items:
        first, reason = next(iter(samples.set_aside.items()))
        raise InputError(f"none of {len(records)} images can be used; the first, `{first}`: {reason}")
    return samples
