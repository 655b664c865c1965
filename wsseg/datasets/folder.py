"""Your own photographs: a folder of images and a CSV of image-level labels, with masks for some or none of them.

ROOT/labels.csv         image,labels[,split]        photo 1.jpg,cat dog
ROOT/images/...         the images, also in subfolders; or directly in ROOT
ROOT/masks/STEM.png     optional: class ids, 0 = background, 255 = ignore
"""

import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from wsseg.datasets.dataset import Dataset
from wsseg.datasets.label_table import LabelTable, read_label_table
from wsseg.datasets.layout import Layout
from wsseg.datasets.record import Record
from wsseg.errors import InputError, nearest
from wsseg.image_files import IMAGE_EXTENSIONS

_MASKS = "masks"


def folder(
    split: str = "train",
    root: Path | None = None,
    classes: tuple[str, ...] | None = None,
    labels_csv: str = "labels.csv",
    val_share: float = 0.2,
    unknown_labels: str = "error",
    allow_unlabelled: bool = False,
    require_masks: bool = False,
) -> Dataset:
    """Return a split of a folder of images with a CSV of labels.

    An image of the CSV that is not on disk is set aside, and so is one with an empty label cell. The split of an image
    is the CSV's column `split`, if there is one. Otherwise it is drawn by a hash of the image's id: the same image is
    always in the same split, even after others are added.

    Args:
        split: `train`, `val`, a name in the column `split`, or `all` for every image.
        root: Folder of the images and the CSV.
        classes: Complete list of classes, in mask-id order; None for the sorted labels of the whole CSV.
        labels_csv: The CSV, relative to `root`, with the header `image,labels[,split]`. An image is named
            by its file name, with or without extension, or by its path below `root` or `root/images`.
            Labels are separated by spaces, or by semicolons if any row of the file has one among its labels.
        val_share: Share of the images in `val` if the CSV has no column `split`, in [0, 1).
        unknown_labels: With `classes`, the effect of a label outside the list: error, or ignore (the label is
            dropped).
        allow_unlabelled: Whether to keep images with an empty label cell: they hold background only.
        require_masks: Whether to set aside images without a mask.

    Returns:
        The dataset.

    Raises:
        InputError: The folder, the CSV or the images do not exist, a label is not in `classes` (the message names the
            line, the label and the nearest class), or an option is wrong.
    """
    if root is None:
        raise InputError("dataset `folder` needs `root`: a folder with images and labels.csv")
    if not root.is_dir():
        raise InputError(f"{root} is not a folder; expected a folder with images and {labels_csv}")
    if not 0 <= val_share < 1:
        raise InputError(f"`val_share` of dataset `folder` must be in [0, 1); got {val_share}; try 0.2")
    if unknown_labels not in ("error", "ignore"):
        raise InputError(
            f"`unknown_labels` of dataset `folder` must be error or ignore; got {unknown_labels!r}"
        )
    images = _find_images(root)
    if not images:
        raise InputError(f"{root} holds no image; expected files such as {root / 'images' / 'photo 1.jpg'}")
    table = read_label_table(root / labels_csv)
    chosen = (
        classes
        if classes is not None
        else tuple(sorted({label for row in table.labels.values() for label in row}))
    )
    if not chosen:
        raise InputError(f"{root / labels_csv} holds no label; expected rows such as `photo 1.jpg,cat dog`")
    finder = _Finder(root, images)
    splits = table.splits or _random_splits(table, finder, val_share)
    records: list[Record] = []
    set_aside: dict[str, str] = {}
    listed_as: dict[str, str] = {}
    for name in table.labels:
        labels = _known_labels(root / labels_csv, table, name, chosen, unknown_labels)
        image = finder.find(name)
        identity = image.stem if image else name
        if identity in listed_as:
            raise InputError(
                f"{root / labels_csv}, line {table.lines[name]}: `{name}` and `{listed_as[identity]}` both have "
                f"the id `{identity}`; file names without extension must be unique: rename one of the two"
            )
        listed_as[identity] = name
        if split not in ("all", splits[name]):
            continue
        mask = root / _MASKS / f"{identity}.png"
        if image is None:
            set_aside[identity] = (
                f"listed in {labels_csv}, line {table.lines[name]}, but no such image in {root}"
            )
        elif not labels and not allow_unlabelled:
            why = "only labels that are not in `classes`" if table.labels[name] else "no label"
            set_aside[identity] = (
                f"{why} in {labels_csv}, line {table.lines[name]} (`allow_unlabelled` keeps it)"
            )
        elif require_masks and not mask.exists():
            set_aside[identity] = f"no mask {mask}, and `require_masks` is set"
        else:
            records.append(Record(identity, image, labels, mask if mask.exists() else None))
    if split in ("train", "all"):
        listed = {finder.find(name) for name in table.labels}
        for image in images:
            if image not in listed:
                identity = image.stem if image.stem not in listed_as else image.relative_to(root).as_posix()
                set_aside[identity] = f"not listed in {labels_csv}, so it has no label"
    if not records:
        _explain_empty(root, split, table, set_aside)
    return Dataset("folder", split, chosen, sorted(records, key=lambda record: record.id), set_aside)


def _find_images(root: Path) -> list[Path]:
    """Return the image files below `root`, without hidden files and without the folder `masks`."""
    found = []
    for path in sorted(root.rglob("*")):
        parts = path.relative_to(root).parts
        hidden = any(part.startswith(".") for part in parts)
        if path.suffix.lower() in IMAGE_EXTENSIONS and parts[0] != _MASKS and not hidden and path.is_file():
            found.append(path)
    return found


class _Finder:
    """Index of images by path below the root, file name, and stem."""

    def __init__(self, root: Path, images: list[Path]) -> None:
        self.by_name: dict[str, list[Path]] = {}
        for path in images:
            inside = path.relative_to(root)
            names = {inside.as_posix(), path.name, path.stem, inside.with_suffix("").as_posix()}
            if inside.parts[0] == "images":
                names |= {
                    inside.relative_to("images").as_posix(),
                    inside.relative_to("images").with_suffix("").as_posix(),
                }
            for name in names:
                self.by_name.setdefault(name, []).append(path)

    def find(self, name: str) -> Path | None:
        found = self.by_name.get(name, [])
        # `a.b` names the file a.b rather than a.b.jpg.
        exact = [path for path in found if path.name == Path(name).name] or found
        if len(exact) > 1:
            raise InputError(
                f"`{name}` may be {exact[0]} or {exact[1]}; write the path or the extension, or rename one of the two"
            )
        return exact[0] if exact else None


def _known_labels(
    path: Path, table: LabelTable, name: str, classes: tuple[str, ...], unknown_labels: str
) -> tuple[str, ...]:
    for label in table.labels[name]:
        if label not in classes and unknown_labels == "error":
            raise InputError(
                f"{path}, line {table.lines[name]}: image `{name}` has the label `{label}`, which is not in "
                f"`classes`; {nearest(label, classes)}; `unknown_labels: ignore` drops such labels"
            )
    return tuple(label for label in classes if label in table.labels[name])


def _random_splits(table: LabelTable, finder: _Finder, val_share: float) -> dict[str, str]:
    """Split images into train and val by a hash of their id, so that new images do not move the old ones.

    With two or more images, each of the two splits has at least one.
    """
    numbers: dict[str, float] = {}
    for name in table.labels:
        image = finder.find(name)
        identity = image.stem if image else name
        numbers[name] = int.from_bytes(hashlib.sha256(identity.encode()).digest()[:8], "big") / 2**64
    val = {name for name, number in numbers.items() if number < val_share}
    if len(numbers) > 1 and val_share:
        val |= {min(numbers, key=numbers.__getitem__)}
        val -= {max(numbers, key=numbers.__getitem__)}
    return {name: "val" if name in val else "train" for name in numbers}


def _explain_empty(root: Path, split: str, table: LabelTable, set_aside: dict[str, str]) -> None:
    if set_aside:
        first = next(iter(set_aside))
        raise InputError(
            f"no image of split `{split}` of {root} can be used; {len(set_aside)} set aside, such as "
            f"`{first}`: {set_aside[first]}"
        )
    splits = {*table.splits.values(), "all"} if table.splits else {"train", "val", "all"}
    if split in splits:
        hint = "list more images, or add a column `split` with train and val"
    else:
        hint = nearest(split, splits)
    raise InputError(f"{root} has no image in split `{split}`; {hint}")


def _splits(root: Path, options: Mapping[str, Any]) -> list[str]:
    table = read_label_table(root / options.get("labels_csv", "labels.csv"))
    if table.splits:
        return sorted(set(table.splits.values()) - {""})
    return ["train", "val"] if options.get("val_share", 1) else ["train"]


LAYOUT = Layout("folder", "labels.csv and images", lambda root: (root / "labels.csv").is_file(), _splits)
