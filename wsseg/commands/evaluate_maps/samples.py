"""The images to explain, the classes that are explained in them, and the locations of these classes."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from wsseg.artifacts import IGNORE
from wsseg.commands.classifiers import LoadedModel
from wsseg.commands.found_photographs import images_in
from wsseg.commands.photographs import input_size
from wsseg.commands.said import Said
from wsseg.datasets import Dataset, Record
from wsseg.errors import InputError
from wsseg.faithfulness import Scorer
from wsseg.places import boxes_at_levels
from wsseg.progress import bar

ANY_OBJECT = "object"
"""Label of a target that is not a class of the dataset."""


@dataclass(frozen=True)
class Sample:
    """An image and the classes that are explained in it.

    Attributes:
        record: Record of the image, with its labels and possibly a mask.
        labels: `(T,)`: Names of the dataset's classes, or `ANY_OBJECT`.
        targets: `(T,)`: Indices of the model's outputs.
        scores: `(T,)`: Probabilities that the model gives to the targets.
    """

    record: Record
    labels: tuple[str, ...]
    targets: tuple[int, ...]
    scores: tuple[float, ...]


@dataclass(frozen=True)
class Place:
    """Location of a class in an image.

    Attributes:
        object_hw: `(H, W)` bool: Pixels of the class, at the image's own size.
        ignored_hw: `(H, W)` bool: Pixels whose class is unknown (255 in the mask).
        boxes_xyxy: `(n, 4)`: Boxes of the class's connected components, pixels.
    """

    object_hw: np.ndarray
    ignored_hw: np.ndarray
    boxes_xyxy: np.ndarray


@dataclass
class Samples:
    """The images of an evaluation.

    Attributes:
        classifier: Model, which says how images are read.
        dataset: Dataset that reads the masks; None without masks.
        items: Samples to explain.
        set_aside: Images that cannot be used, `id -> reason`.
        said: What has been done to images when they were read.
    """

    classifier: LoadedModel
    dataset: Dataset | None = None
    items: list[Sample] = field(default_factory=list)
    set_aside: dict[str, str] = field(default_factory=dict)
    said: Said = field(default_factory=Said)

    def image(self, sample: Sample) -> np.ndarray:
        """Return the image as `wsseg explain` reads it, at the model's input size, before preprocessing.

        Returns:
            `(H, W, C)` float32; of a picture in [0, 255].
        """
        return self.read(sample.record)

    def read(self, record: Record) -> np.ndarray:
        """Return the image of a record; see `image`."""
        found = self.classifier.read(record.image)
        self.said.add(record.id, *found.remarks)
        return found.resized(input_size(self.classifier, found.values.shape[:2]))

    def places(self, sample: Sample) -> list[Place | None]:
        """Return the location of each target; None for a target that the mask does not show.

        Raises:
            InputError: The mask cannot be read.
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


def photographs(folder: Path) -> list[Record]:
    """Return the images of a folder as records without labels.

    Raises:
        InputError: The path is not a folder, or the folder has no image.
    """
    if not folder.is_dir():
        raise InputError(f"--photographs {folder} is not a folder; give a folder of images")
    paths = images_in(sorted(folder.iterdir()), arrays=True)
    if not paths:
        raise InputError(f"--photographs {folder} has no image; expected files such as photo.jpg")
    return [Record(path.name, path, ()) for path in paths]


def draw(records: list[Record], count: int, seed: int) -> list[Record]:
    """Return `count` records drawn by the seed, in their order; all records if `count` is 0."""
    if not 0 < count < len(records):
        return records
    index = np.random.default_rng(seed).choice(len(records), count, replace=False)
    return [records[i] for i in sorted(index)]


def gather(
    records: list[Record],
    scorer: Scorer,
    outputs: Mapping[str, tuple[int, ...]] | None,
    classifier: LoadedModel,
    dataset: Dataset | None = None,
) -> Samples:
    """Read every image once, and choose the classes to explain.

    Args:
        records: Records of the images.
        scorer: Scorer of the model.
        outputs: Class -> the model's outputs, the most likely of which is explained. If None, the model's most likely
            output of all is explained.
        classifier: Model of the scorer, which says how images are read.
        dataset: Dataset that reads the masks; None without masks.

    Raises:
        InputError: No image can be used.
    """
    samples, kept = Samples(classifier, dataset), []

    def readable() -> Iterator[np.ndarray]:
        with bar("reading", len(records)) as advance:
            for record in records:
                advance()
                try:
                    if outputs is not None and not any(label in outputs for label in record.labels):
                        raise InputError(
                            f"none of its labels ({', '.join(record.labels) or 'none'}) has an output of the model"
                        )
                    image = samples.read(record)
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
    samples.said.tell()
    if not samples.items:
        first, reason = next(iter(samples.set_aside.items()))
        raise InputError(f"none of {len(records)} images can be used; the first, `{first}`: {reason}")
    return samples
