"""Read a whole dataset once and report its content and its faults: `wsseg datasets check`."""

import os
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from wsseg import datasets
from wsseg.artifacts import IGNORE
from wsseg.datasets.dataset import Dataset
from wsseg.datasets.layouts import detect, layout_of
from wsseg.datasets.record import Record
from wsseg.errors import InputError
from wsseg.image_files import check_image
from wsseg.progress import bar

SHOWN = 3
"""Maximum number of problems shown per kind."""


@dataclass
class SplitCheck:
    """Content of a split.

    Attributes:
        images: Number of images in the dataset, without those set aside.
        masks: Number of images with a mask.
        instances: Number of images with instances.
        labelled: Class -> number of images with its label.
        pixels: Class, `background` or `ignored` -> number of pixels in the masks that could be read; empty if no mask
            was read.
        objects: Class -> number of objects, without crowds.
        crowds: Number of crowds.
        broken: Kind of problem -> `{what: why}`.
        notes: Findings that need not be faults, in the same form: objects left out, and images without a mask in a
            split where other images have one.
    """

    images: int = 0
    masks: int = 0
    instances: int = 0
    labelled: Counter = field(default_factory=Counter)
    pixels: Counter = field(default_factory=Counter)
    objects: Counter = field(default_factory=Counter)
    crowds: int = 0
    broken: dict[str, dict[str, str]] = field(default_factory=dict)
    notes: dict[str, dict[str, str]] = field(default_factory=dict)

    def add_broken(self, kind: str, what: str, why: str) -> None:
        """Add a problem to `broken`."""
        self.broken.setdefault(kind, {})[what] = why


def check(
    root: Path,
    name: str | None = None,
    splits: Sequence[str] | None = None,
    options: Mapping[str, Any] | None = None,
    fast: bool = False,
    say: Callable[[str], None] = print,
) -> None:
    """Check a dataset and report what was found.

    Args:
        root: Folder of the dataset.
        name: Name of the dataset, a key of `DATASETS`; None to detect it by the files.
        splits: Splits to check; None for all that have annotations.
        options: Options of the dataset, including `classes`.
        fast: Decode no image and no mask: only report which files exist, and count images and labels.
        say: Function that receives the report, one piece of text at a time.

    Raises:
        InputError: Something is wrong with the files. Every problem has been passed to `say` before.
    """
    options = dict(options or {})
    layout = detect(root) if name is None else layout_of(name)
    options = dict(layout.options(root)) | options
    say(f"{root}: {layout.name}")
    there = splits or layout.splits(root, options)
    if not there:
        raise InputError(f"{root} has no split with annotations; name the split to check with --split")
    say(f"splits: {', '.join(there)}")
    problems = 0
    for split in there:
        try:
            dataset = datasets.create(layout.name, split=split, root=root, **options)
        except InputError as error:
            say(f"\n{split}: cannot be read\n  {error}")
            problems += 1
            continue
        found = check_split(dataset, fast)
        say("\n" + described(found, dataset))
        problems += sum(map(len, found.broken.values()))
    if problems:
        raise InputError(f"{root}: {problems} problem{'s' if problems > 1 else ''}, listed above")


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
        found.instances += record.instances is not None
        found.labelled.update(record.labels)
    if dataset.left_out:
        found.notes["objects left out"] = dict(dataset.left_out)
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
            found.objects.update(part.objects)
            found.crowds += part.crowds
            for kind, reasons in part.broken.items():
                for what, why in reasons.items():
                    found.add_broken(kind, what, why)
            advance()
    return found


def _check_record(dataset: Dataset, record: Record) -> SplitCheck:
    part = SplitCheck()
    try:
        check_image(record.image)
    except InputError as error:
        part.add_broken("images that cannot be used", record.id, str(error))
        return part  # the mask's size is checked against the image
    names = ("background", *dataset.classes)
    if record.mask is not None:
        try:
            counts = np.bincount(dataset.read_mask(record).ravel(), minlength=IGNORE + 1)
            part.pixels.update(
                {name: int(count) for name, count in zip(names, counts, strict=False) if count}
            )
            part.pixels["ignored"] += int(counts[IGNORE])
        except InputError as error:
            part.add_broken("masks that cannot be used", record.id, str(error))
    if record.instances is not None:
        try:
            objects = dataset.read_instances(record)
            part.objects.update(names[number] for number in objects.class_ids[~objects.crowd])
            part.crowds += int(objects.crowd.sum())
        except InputError as error:
            part.add_broken("instances that cannot be used", record.id, str(error))
    return part


def described(found: SplitCheck, dataset: Dataset) -> str:
    """Return the report on a split as text: counts, a table of the classes, and the first problems of each kind."""
    images = f"{found.images:,} image{'s' if found.images != 1 else ''}"
    lines = [f"{dataset.split}: {images}, {found.masks:,} with masks, {found.instances:,} with instances"]
    lines += _table(found, dataset)
    for kind, reasons in (*found.broken.items(), *found.notes.items()):
        lines += _some(f"{kind} ({len(reasons):,}):", reasons)
    return "\n".join(lines)


def _table(found: SplitCheck, dataset: Dataset) -> list[str]:
    total = sum(found.pixels.values())
    columns = ["class", "images"] + ["pixels"] * bool(total) + ["instances"] * bool(found.objects)
    rows = []
    around = (["background"], ["ignored"]) if total else ([], [])
    for name in (*around[0], *dataset.classes, *around[1]):
        is_class = name in dataset.classes
        row = [name, f"{found.labelled[name]:,}" if is_class else ""]
        if total:
            row.append(f"{100 * found.pixels[name] / total:.2f} %")
        if found.objects:
            row.append(f"{found.objects[name]:,}" if is_class else "")
        rows.append(row)
    if found.crowds:
        rows.append(["crowds", ""] + [""] * bool(total) + [f"{found.crowds:,}"] * bool(found.objects))
    widths = [max(len(row[column]) for row in (columns, *rows)) for column in range(len(columns))]
    return [
        "  " + "  ".join([row[0].ljust(widths[0]), *map(str.rjust, row[1:], widths[1:])]).rstrip()
        for row in (columns, *rows)
    ]


def _some(heading: str, reasons: Mapping[str, str]) -> list[str]:
    lines = [f"  {heading}"]
    lines += [f"    {what}: {why}" for what, why in list(reasons.items())[:SHOWN]]
    if len(reasons) > SHOWN:
        lines.append(f"    ... and {len(reasons) - SHOWN:,} more")
    return lines
