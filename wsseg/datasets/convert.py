"""Write any dataset as a folder of photographs or in COCO's format: `wsseg datasets convert`.

So a user sees what was understood, in files that other programs read too.
"""

import shutil
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from PIL import Image

from wsseg import datasets
from wsseg.artifacts import write_atomically
from wsseg.datasets.check_report import option_lines
from wsseg.datasets.converted_coco import write_coco
from wsseg.datasets.converted_folder import write_folder
from wsseg.datasets.dataset import Dataset
from wsseg.datasets.layouts import detect, layout_of
from wsseg.datasets.record import Record
from wsseg.datasets.written_split import WrittenSplit
from wsseg.errors import InputError, nearest
from wsseg.image_files import gray_in_range

WRITERS: dict[str, Callable[..., list[str]]] = {"folder": write_folder, "coco": write_coco}
"""Name of a form -> function that writes it and says what could not be written."""


def convert(
    root: Path,
    to: str,
    out: Path,
    name: str | None = None,
    splits: Sequence[str] | None = None,
    options: Mapping[str, Any] | None = None,
    gray_range: tuple[float, float] | None = None,
    say: Callable[[str], None] = print,
) -> None:
    """Write a dataset in another form. Images are copied as they are.

    Args:
        root: Folder of the dataset.
        to: `folder` (images, labels.csv, classes.txt and masks) or `coco` (images and a JSON file per split).
        out: Folder to write, which must not exist, or be empty.
        name: Name of the dataset, a key of `DATASETS`; None to detect it by the files.
        splits: Splits to write; None for all that have annotations.
        options: Options of the dataset, including `classes`.
        gray_range: Values of deep gray images that become 0 and 255, such as (0, 4095); these images are written with
            8 bits. None to copy them too.
        say: Function that receives what is done, one piece of text at a time.

    Raises:
        InputError: The dataset cannot be read, or cannot be written in this form; nothing of the dataset is changed.
    """
    if to not in WRITERS:
        raise InputError(f"--to {to}: there is no such form; {nearest(to, WRITERS)}")
    if gray_range is not None and not gray_range[0] < gray_range[1]:
        raise InputError(f"--gray-range must be two rising values, such as 0 4095; got {gray_range}")
    layout = detect(root) if name is None else layout_of(name)
    options = dict(options or {})
    proposed = {key: value for key, value in layout.options(root).items() if key not in options}
    say(f"{root}: {layout.name}")
    if proposed:
        say("\n".join(["options found:", *option_lines(layout, proposed)]))
    options = proposed | options
    there = list(dict.fromkeys(splits or layout.splits(root, options)))
    if not there:
        raise InputError(f"{root} has no split with annotations; name the split to convert with --split")
    opened = [datasets.create(layout.name, split=split, root=root, **options) for split in there]
    _check_out(root, out, opened)
    parts = _named(opened)
    for dataset in opened:
        if dataset.set_aside:
            first, why = next(iter(dataset.set_aside.items()))
            say(
                f"{dataset.split}: {len(dataset.set_aside):,} set aside and not written; the first: {first}: {why}"
            )
    out.mkdir(parents=True, exist_ok=True)
    copy = _Copy(gray_range)
    try:
        lines = WRITERS[to](out, parts, copy)
    except OSError as error:
        raise InputError(
            f"--out {out} cannot be written ({error.strerror or error}); choose another folder"
        ) from error
    for line in lines:
        say(line)
    if copy.scaled:
        say(f"{copy.scaled:,} deep gray images are written with 8 bits")
    counts = ", ".join(f"{len(part.records):,} images of {part.dataset.split}" for part in parts)
    say(f"written: {out}: {counts}; the classes are {', '.join(opened[0].classes)}")


class _Copy:
    """Copies the image of a record; deep gray ones are scaled if a range is given."""

    def __init__(self, gray_range: tuple[float, float] | None):
        self.gray_range, self.scaled = gray_range, 0

    def __call__(self, record: Record, to: Path) -> Path:
        """Write an image to a path without extension; return the file."""
        to.parent.mkdir(parents=True, exist_ok=True)
        pixels = None if self.gray_range is None else gray_in_range(record.image, self.gray_range)
        if pixels is not None:
            self.scaled += 1
            file = to.with_name(f"{to.name}.png")
            write_atomically(file, lambda stream: Image.fromarray(pixels).save(stream, "PNG"))
            return file
        file = to.with_name(f"{to.name}{record.image.suffix}")
        try:
            shutil.copyfile(record.image, file)
        except FileNotFoundError:
            raise InputError(f"image {record.image} does not exist") from None
        return file


def _check_out(root: Path, out: Path, opened: Sequence[Dataset]) -> None:
    real = out.resolve()
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise InputError(
            f"--out {out} is there already, and holds something; choose a folder that does not exist"
        )
    if real == root.resolve() or root.resolve() in real.parents:
        raise InputError(
            f"--out {out} lies in the dataset {root}, whose images would be found twice; choose another"
        )
    classes = {dataset.classes for dataset in opened}
    if len(classes) > 1:
        raise InputError("the splits have different classes; name the classes of all with --classes")


def _named(opened: Sequence[Dataset]) -> list[WrittenSplit]:
    """Return the images of each split with names that no two images share.

    Raises:
        InputError: An image is in two splits, or its id cannot be the name of a file.
    """
    splits_of: dict[str, list[str]] = {}
    files: dict[Path, str] = {}
    for dataset in opened:
        for record in dataset:
            splits_of.setdefault(record.id.casefold(), []).append(dataset.split)
            file = record.image.resolve()
            if files.setdefault(file, dataset.split) != dataset.split:
                raise InputError(
                    f"image {record.image} is in the splits {files[file]} and {dataset.split}; choose one with --split"
                )
            if record.id != record.id.strip() or not record.id.isprintable() or record.id[0] in ".-":
                raise InputError(
                    f"the image {record.image} has a name that other programs may not read; rename it"
                )
    taken: set[str] = set()
    parts = []
    for dataset in opened:
        names = {}
        for record in dataset:
            several = len(splits_of[record.id.casefold()]) > 1
            name = f"{dataset.split}__{record.id}" if several else record.id
            if name.casefold() in taken:
                raise InputError(f"two images would have the name {name}; rename {record.image}")
            taken.add(name.casefold())
            names[record.id] = name
        parts.append(WrittenSplit(dataset, names))
    return parts
