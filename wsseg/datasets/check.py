"""Read a whole dataset once and report its content and its faults: `wsseg datasets check`."""

import itertools
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from wsseg import datasets
from wsseg.datasets.check_report import described, option_lines, some_lines
from wsseg.datasets.dataset import Dataset
from wsseg.datasets.layouts import detect, layout_of
from wsseg.datasets.shared_images import shared_images
from wsseg.datasets.split_check import SplitCheck, check_split
from wsseg.errors import InputError


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
    opened: list[tuple[Dataset, SplitCheck]] = []
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
        opened.append((dataset, found))
    for lines in between_splits(opened):
        say("\n" + "\n".join(lines))
        problems += 1
    if problems:
        raise InputError(f"{root}: {problems} problem{'s' if problems > 1 else ''}, listed above")


def between_splits(opened: Sequence[tuple[Dataset, SplitCheck]]) -> list[list[str]]:
    """Return what is wrong between splits, as lines: shared images, and different classes.

    Images are the same if their files are, or if they have the same pixels where these were read.

    Two splits whose names begin with train, such as train and trainaug, may share images; so may trainval and all,
    which are made of others, with any.
    """
    found = []
    for (first, of_first), (second, of_second) in itertools.combinations(opened, 2):
        names = (first.split, second.split)
        if all(name.startswith("train") for name in names) or {"trainval", "all"} & set(names):
            continue
        shared = shared_images(second, first)
        if shared or _same_pixels(of_second, of_first):
            pairs = {record.id: f"{record.image} is {other.image}" for record, other in shared}
            pairs |= {
                name: f"has the pixels of `{same}`"
                for name, same in _same_pixels(of_second, of_first).items()
                if name not in pairs
            }
            found.append(
                some_lines(f"images of {names[1]} that are also in {names[0]} ({len(pairs):,}):", pairs)
            )
        if first.classes != second.classes:
            found.append(
                [f"  {one.split} has the classes {', '.join(one.classes)}" for one in (first, second)]
            )
    return found


def _same_pixels(found: SplitCheck, other: SplitCheck) -> dict[str, str]:
    """Return the images of a split whose pixels an image of another has: id -> id there."""
    there = {content: name for name, content in other.contents.items()}
    return {name: there[content] for name, content in found.contents.items() if content in there}
