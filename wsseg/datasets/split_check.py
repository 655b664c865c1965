"""Read everything in one split of a dataset, and count what is in it and what is wrong with it."""

import hashlib
import os
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

import numpy as np

from wsseg.artifacts import IGNORE
from wsseg.datasets.dataset import Dataset
from wsseg.datasets.mask_agreement import OWN_LABELS, Pair, contradiction
from wsseg.datasets.record import Record
from wsseg.datasets.shared_images import repeated_images
from wsseg.datasets.turned_masks import why_turned
from wsseg.errors import InputError
from wsseg.image_files import check_image, stored_size_hw
from wsseg.progress import bar

BROKEN_IMAGES = "images that cannot be used, and are set aside"
BROKEN_MASKS = "masks that cannot be used, and are not scored"

CONTRADICTIONS = "labels and masks that contradict each other"
TURNED_MASKS = "masks of the stored pixels of images that are shown turned"
OTHER_LABELS = "images that are in the split twice, with different labels"
TURNED = "images that are stored turned; their masks must fit the images as they are shown"


@dataclass
class SplitCheck:
    """Content of a split.

    Attributes:
        images: Number of images in the dataset, without those set aside.
        masks: Number of images with a mask.
        without_object: Number of these that have no file of a mask, as they are known to hold background only.
        instances: Number of images with instances.
        labelled: Class -> number of images with its label.
        unlabelled: Number of images without a label.
        pixels: Class, `background` or `ignored` -> number of pixels in the masks that could be read; empty if no mask
            was read.
        shares: Class -> its share of the pixels of each image whose mask has it, in (0, 1].
        objects: Class -> number of objects, without crowds.
        crowds: Number of crowds.
        pairs: Labels and classes in the mask, of each image with both.
        contents: Image id -> hash of its pixels, of images that were read.
        broken: Kind of problem -> `{what: why}`.
        notes: Findings that need not be faults, in the same form: objects left out, and images without a mask in a
            split where other images have one.
    """

    images: int = 0
    masks: int = 0
    without_object: int = 0
    instances: int = 0
    unlabelled: int = 0
    labelled: Counter = field(default_factory=Counter)
    pixels: Counter = field(default_factory=Counter)
    shares: dict[str, list[float]] = field(default_factory=dict)
    objects: Counter = field(default_factory=Counter)
    crowds: int = 0
    pairs: list[Pair] = field(default_factory=list)
    contents: dict[str, str] = field(default_factory=dict)
    broken: dict[str, dict[str, str]] = field(default_factory=dict)
    notes: dict[str, dict[str, str]] = field(default_factory=dict)

    def add_broken(self, kind: str, what: str, why: str) -> None:
        """Add a problem to `broken`."""
        self.broken.setdefault(kind, {})[what] = why


def check_split(dataset: Dataset, fast: bool = False) -> SplitCheck:
    """Read everything in a split.

    Args:
        dataset: The split.
        fast: See `check`.
    """
    found = SplitCheck(len(dataset))
    for what, why in dataset.set_aside.items():
        found.add_broken("set aside", what, why)
    for record in dataset:
        found.masks += record.mask is not None
        found.without_object += record.mask == record.image
        found.instances += record.instances is not None
        found.labelled.update(record.labels)
        found.unlabelled += not record.labels
    for kind, reasons in (
        ("objects left out", dataset.left_out),
        ("objects without a usable outline or box: their region is ignored (255)", dataset.ignored),
        ("objects read otherwise than they are written", dataset.remarks),
    ):
        if reasons:
            found.notes[kind] = dict(reasons)
    if repeated := repeated_images(dataset):
        found.notes["images that are in the split twice"] = {
            name: f"has the content of `{same}`" for name, same in repeated.items()
        }
    for kind, there in (("mask", found.masks), ("instances", found.instances)):
        if 0 < there < found.images:
            without = (record for record in dataset if getattr(record, kind) is None)
            found.notes[f"images without {kind}"] = {record.id: str(record.image) for record in without}
    if fast:
        return found
    with (
        ThreadPoolExecutor(os.cpu_count() or 1) as pool,  # decoding releases the global interpreter lock
        bar(f"checking {dataset.split}", len(dataset)) as advance,
    ):
        for part in pool.map(lambda record: _check_record(dataset, record), dataset):
            found.pixels.update(part.pixels)
            for name, shares in part.shares.items():
                found.shares.setdefault(name, []).extend(shares)
            found.objects.update(part.objects)
            found.crowds += part.crowds
            found.pairs += part.pairs
            found.contents.update(part.contents)
            for kind, reasons in part.broken.items():
                for what, why in reasons.items():
                    found.add_broken(kind, what, why)
            for kind, reasons in part.notes.items():
                found.notes.setdefault(kind, {}).update(reasons)
            advance()
    labels = {record.id: set(record.labels) for record in dataset}
    for name, same in repeated.items():
        if name in found.contents and labels[name] != labels[same]:
            found.add_broken(OTHER_LABELS, name, f"has the content of `{same}` and other labels")
    return found


def _check_record(dataset: Dataset, record: Record) -> SplitCheck:
    part = SplitCheck()
    try:
        image = check_image(record.image)
    except InputError as error:
        part.add_broken(BROKEN_IMAGES, record.id, str(error))
        return part  # the mask's size is checked against the image
    if np.ptp(image, axis=(0, 1)).any():  # blank images are equal and mean nothing
        part.contents[record.id] = hashlib.sha256(repr(image.shape).encode() + image.tobytes()).hexdigest()
    names = ("background", *dataset.classes)
    if record.mask is not None:
        try:
            mask = dataset.read_mask(record)
            counts = np.bincount(mask.ravel(), minlength=IGNORE + 1)
            part.pixels.update(
                {name: int(count) for name, count in zip(names, counts, strict=False) if count}
            )
            part.pixels["ignored"] += int(counts[IGNORE])
            part.shares = {
                name: [float(count / counts.sum())]
                for name, count in zip(dataset.classes, counts[1:], strict=False)
                if count
            }
            present = frozenset(part.shares)
            if dataset.name in OWN_LABELS and record.mask != record.image:
                part.pairs.append((frozenset(record.labels), present))
                if why := contradiction(record.labels, present, unsure=bool(counts[IGNORE])):
                    part.add_broken(CONTRADICTIONS, record.id, why)
            orientation = stored_size_hw(record.image)[1]
            if orientation != 1 and record.mask != record.image:
                part.notes[TURNED] = {record.id: f"EXIF orientation {orientation}"}
                if why := why_turned(record.image, image, mask):
                    part.add_broken(TURNED_MASKS, record.id, why)
        except InputError as error:
            part.add_broken(BROKEN_MASKS, record.id, str(error))
    if record.instances is not None:
        try:
            objects = dataset.read_instances(record)
            part.objects.update(names[number] for number in objects.class_ids[~objects.crowd])
            part.crowds += int(objects.crowd.sum())
        except InputError as error:
            part.add_broken("instances that cannot be used", record.id, str(error))
    return part
