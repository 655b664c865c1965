"""Read a whole dataset once and report its content and its faults: `wsseg datasets check`."""

import itertools
import os
import statistics
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import yaml

from wsseg import datasets
from wsseg.artifacts import IGNORE
from wsseg.datasets.dataset import Dataset
from wsseg.datasets.layout import Layout
from wsseg.datasets.layouts import detect, layout_of
from wsseg.datasets.mask_agreement import OWN_LABELS, Pair, advice, contradiction
from wsseg.datasets.record import Record
from wsseg.datasets.shared_images import repeated_images, shared_images
from wsseg.errors import InputError
from wsseg.image_files import check_image, stored_size_hw
from wsseg.progress import bar

SHOWN = 3
"""Maximum number of problems shown per kind."""

BROKEN_IMAGES = "images that cannot be used, and are set aside"
BROKEN_MASKS = "masks that cannot be used, and are not scored"

CONTRADICTIONS = "labels and masks that contradict each other"
TURNED = "images that are stored turned; their masks must fit the images as they are shown"

FEW = 20
"""A class with fewer images in a split is named: it is hard to learn, or its score rests on few images."""


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
        fast: Decode no image and no mask, but a few that show which options a folder needs: only report which files
            exist, and count images and labels.
        say: Function that receives the report, one piece of text at a time.

    Raises:
        InputError: Something is wrong with the files. Every problem has been passed to `say` before.
    """
    options = dict(options or {})
    layout = detect(root) if name is None else layout_of(name)
    proposed = {key: value for key, value in layout.options(root).items() if key not in options}
    options = proposed | options
    say(f"{root}: {layout.name}")
    there = splits or layout.splits(root, options)
    if not there:
        raise InputError(f"{root} has no split with annotations; name the split to check with --split")
    say(f"splits: {', '.join(there)}")
    if proposed:
        say("\n".join(["options found:", *option_lines(layout, proposed)]))
    problems = 0
    opened: list[Dataset] = []
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
        opened.append(dataset)
    for lines in between_splits(opened):
        say("\n" + "\n".join(lines))
        problems += 1
    if problems:
        raise InputError(f"{root}: {problems} problem{'s' if problems > 1 else ''}, listed above")


def between_splits(opened: Sequence[Dataset]) -> list[list[str]]:
    """Return what is wrong between splits, as lines: shared images, and different classes.

    Two splits whose names begin with train, such as train and trainaug, may share images; so may trainval and all,
    which are made of others, with any.
    """
    found = []
    for first, second in itertools.combinations(opened, 2):
        names = (first.split, second.split)
        if all(name.startswith("train") for name in names) or {"trainval", "all"} & set(names):
            continue
        if shared := shared_images(second, first):
            pairs = {record.id: f"{record.image} is {other.image}" for record, other in shared}
            found.append(_some(f"images of {names[1]} that are also in {names[0]} ({len(pairs):,}):", pairs))
        if first.classes != second.classes:
            found.append(
                [f"  {one.split} has the classes {', '.join(one.classes)}" for one in (first, second)]
            )
    return found


def option_lines(layout: Layout, options: Mapping[str, Any], indent: int = 2) -> list[str]:
    """Return options as lines of YAML, each with its meaning as a comment where the layout says it.

    Example:
        >>> layout = Layout("a", "", bool, list, remarks={"level": "gray level"})
        >>> print("\\n".join(option_lines(layout, {"level": 127, "names": ["b", "c"]})))
          level: 127   # gray level
          names: [b, c]
    """
    lines = []
    for key, value in options.items():
        flow = None if isinstance(value, list | dict) else False
        text = yaml.safe_dump({key: value}, default_flow_style=flow, allow_unicode=True, width=1000).strip()
        remark = layout.remarks.get(key)
        lines.append(" " * indent + text + (f"   # {remark}" if remark else ""))
    return lines


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
        found.notes["images that are in the split twice"] = repeated
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
            for kind, reasons in part.broken.items():
                for what, why in reasons.items():
                    found.add_broken(kind, what, why)
            for kind, reasons in part.notes.items():
                found.notes.setdefault(kind, {}).update(reasons)
            advance()
    return found


def _check_record(dataset: Dataset, record: Record) -> SplitCheck:
    part = SplitCheck()
    try:
        check_image(record.image)
    except InputError as error:
        part.add_broken(BROKEN_IMAGES, record.id, str(error))
        return part  # the mask's size is checked against the image
    names = ("background", *dataset.classes)
    if record.mask is not None:
        try:
            counts = np.bincount(dataset.read_mask(record).ravel(), minlength=IGNORE + 1)
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


def described(found: SplitCheck, dataset: Dataset) -> str:
    """Return the report on a split as text: counts, tables of the classes, and the first problems of each kind."""
    images = f"{found.images:,} image{'s' if found.images != 1 else ''}"
    files = found.masks - found.without_object
    lines = [f"{dataset.split}: {images}, {files:,} with masks, {found.instances:,} with instances"]
    lines[0] += f", {found.unlabelled:,} without a label" if found.unlabelled else ""
    if found.without_object:
        lines[0] += f", {found.without_object:,} scored as background only without a mask"
    lines += _table(found, dataset)
    lines += _share_table(found, dataset)
    lines += _few(found, dataset)
    lines += _together(dataset)
    for kind, reasons in (*found.broken.items(), *found.notes.items()):
        lines += _some(f"{kind} ({len(reasons):,}):", reasons)
        if kind == CONTRADICTIONS:
            lines.append(f"    {advice(found.pairs, dataset.classes)}")
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
    return _aligned([columns, *rows])


def _share_table(found: SplitCheck, dataset: Dataset) -> list[str]:
    """Return how much of an image a class covers, by which scales are chosen; nothing if no mask was read."""
    rows = []
    for name in dataset.classes:
        if shares := found.shares.get(name):
            values = (min(shares), statistics.median(shares), max(shares))
            rows.append([name, f"{len(shares):,}", *(f"{100 * value:.2f} %" for value in values)])
    heading = ["share of an image", "masks", "smallest", "median", "largest"]
    return _aligned([heading, *rows]) if rows else []


def _few(found: SplitCheck, dataset: Dataset) -> list[str]:
    counts = [(name, found.labelled[name]) for name in dataset.classes]
    few = [f"{name} ({count})" for name, count in counts if 0 < count < FEW]
    none = [name for name, count in counts if not count]
    lines = [f"  fewer than {FEW} images: {', '.join(few)}"] if few else []
    return lines + ([f"  no image: {', '.join(none)}"] if none else [])


def _together(dataset: Dataset) -> list[str]:
    """Return a line about labels that no image has alone, as the words of a name that was split at its spaces."""
    images: dict[frozenset[str], list[str]] = {}
    for name in dataset.classes if dataset.name in OWN_LABELS else ():
        images.setdefault(frozenset(record.id for record in dataset if name in record.labels), []).append(
            name
        )
    found = [names for ids, names in images.items() if len(ids) > 1 and len(names) > 1]
    if not found:
        return []
    text = "; ".join(f"{' and '.join(names)}" for names in found[:SHOWN])
    return [f"  always together: {text}; if this is one name, separate labels by semicolons in labels.csv"]


def _aligned(rows: Sequence[Sequence[str]]) -> list[str]:
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return [
        "  " + "  ".join([row[0].ljust(widths[0]), *map(str.rjust, row[1:], widths[1:])]).rstrip()
        for row in rows
    ]


def _some(heading: str, reasons: Mapping[str, str]) -> list[str]:
    lines = [f"  {heading}"]
    lines += [f"    {what}: {why}" for what, why in list(reasons.items())[:SHOWN]]
    if len(reasons) > SHOWN:
        lines.append(f"    ... and {len(reasons) - SHOWN:,} more")
    return lines
