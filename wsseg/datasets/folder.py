"""Your own photographs: a folder of images and a CSV of image-level labels, with masks for some or none of them.

ROOT/labels.csv         image,labels[,split]        photo 1.jpg,cat dog; or a column of 0 and 1 per class
ROOT/images/...         the images, also in subfolders; or directly in ROOT
ROOT/masks/ID.png       optional: class ids, 0 = background, 255 = ignore
ROOT/classes.txt        optional: names of the classes in mask-id order, one per line
"""

from collections.abc import Mapping, Sequence
from pathlib import Path, PurePosixPath
from typing import Any

from wsseg.class_names import foreground_names
from wsseg.datasets.class_order import class_order
from wsseg.datasets.colour_table import classes_of_colours, ids_of_colours, read_colours
from wsseg.datasets.dataset import Dataset
from wsseg.datasets.drawn_splits import drawn_splits
from wsseg.datasets.folder_images import ImageFinder, forward, ids_of
from wsseg.datasets.folder_mask_reader import FolderMasks
from wsseg.datasets.folder_masks import find_masks, names_of_images, pattern_of
from wsseg.datasets.folder_options import REMARKS, proposed_options
from wsseg.datasets.label_cells import in_order, is_nothing
from wsseg.datasets.label_table import LabelTable, read_label_table
from wsseg.datasets.layout import Layout
from wsseg.datasets.mask_values import check_level, value_table
from wsseg.datasets.record import Record
from wsseg.datasets.split_column import split_name
from wsseg.datasets.visible_files import visible_files
from wsseg.errors import InputError, nearest
from wsseg.file_names import CLASS_NAMES, PREDICTED_WITH


def folder(
    split: str = "train",
    root: Path | None = None,
    classes: tuple[str, ...] | None = None,
    labels_csv: str = "labels.csv",
    val_share: float = 0.2,
    unknown_labels: str = "error",
    allow_unlabelled: bool = False,
    require_masks: bool = False,
    split_column: str = "auto",
    masks: str = "auto",
    mask_values: Mapping | None = None,
    mask_level: int | None = None,
    image_column: str = "auto",
    label_columns: str | Sequence[str] = "auto",
    val_fold: str | int | None = None,
    mask_colours: str | None = None,
) -> Dataset:
    """Return a split of a folder of images with a CSV of labels.

    An image of the CSV that is not on disk is set aside, and so is one with an empty label cell, or a word such as none
    in it. The split of an image is the CSV's column `split`, if there is one. Otherwise it is drawn by a hash of the
    image's id: the same image is always in the same split, even after others are added.

    The id of an image is its file name without extension; of images that share it, the path below `root` (without the
    folder `images`), with `__` between the folders.

    A mask lies as its image is shown: the EXIF orientation is applied to the image, so a mask of the stored pixels of a
    turned photograph does not fit.

    Args:
        split: `train`, `val`, a name in the column of splits, or `all` for every image.
        root: Folder of the images and the CSV. What `wsseg run` or `wsseg predict` has written in it is not seen.
        classes: Complete list of classes, in mask-id order; None for the lines of `root/classes.txt`, or, without that
            file, the labels of the whole CSV, sorted by name, numbers by size.
        labels_csv: The CSV, relative to `root`, with the header `image,labels[,split]`, separated by commas, semicolons
            or tabs. An image is named by its file name, with or without extension, or by its path; folders that all
            rows begin with may be missing. Labels are separated by spaces (not in a column such as `label`); or by
            semicolons, bars or commas if any row of the file has one. An image may have several rows, one per object. A
            file such as `cls_labels.npy` (nothing in it is executed) needs `classes`, in the order of its numbers.
        val_share: Share of the images in `val` if the CSV has no column of splits, in [0, 1).
        unknown_labels: With `classes`, the effect of a label outside the list: error, or ignore (the label is
            dropped).
        allow_unlabelled: Whether to keep images with an empty label cell: they hold background only.
        require_masks: Whether to set aside images without a mask.
        split_column: Column that deals the images to splits; `auto` for `split`, else one with a header such as Subset
            or with words such as train and valid alone, or one such as is_valid with true and false; `none` to draw the
            splits.
        masks: `auto` (masks/NAME.png, names such as NAME_mask.png or NAME.jpg.png, and folders such as labels or
            SegmentationClass, if there is one mask per image), `none`, or the path of an image's mask relative to
            `root`, with {name} and {folder} for the image's: `'labels/{name}_gt.png'`.
        mask_values: Meaning of values of masks that are no ids: value -> class, id, `background` or `ignore`, as in
            `{255: cat}`, or `{0: road, 1: car}` for masks without a background. 0 and 255 keep their meaning where they
            are not named; other values are illegal, but `{255: ignore}` alone leaves them ids.
        mask_level: Gray level in 0..254 of masks that are gray levels; pixels above it belong to the image's one label.
        image_column: Column of the images; `auto` for `image`, or else one with a header such as file_name.
        label_columns: Column of the labels, or a list of the columns of classes, which hold 0 and 1; `auto` for
            `labels`, one with a header such as tags, or columns that all hold 0 and 1.
        val_fold: Number of the fold that is `val` where `split_column` holds numbers of folds; the others are `train`.
        mask_colours: File, relative to `root`, of the colours of masks that are drawn in colours: lines such as
            `64 128 64 Animal` or `Animal,64,128,64`. Void and the like are not scored; without `classes` its names are
            the classes, and with them the colours of others are background.

    Returns:
        The dataset.

    Raises:
        InputError: The folder, the CSV or the images do not exist, a label is not in `classes` (the message names the
            line, the label and the nearest class), an image may have two masks, or an option is wrong.
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
    check_level(mask_level, "`mask_level` of dataset `folder`")
    if sum(option is not None for option in (mask_level, mask_values, mask_colours)) > 1:
        raise InputError(
            "dataset `folder`: `mask_level`, `mask_values` and `mask_colours` are ways to read masks; keep one"
        )
    files = visible_files(root)
    if not files.images:
        raise InputError(f"{root} holds no image; expected files such as {root / 'images' / 'photo 1.jpg'}")
    colours = None if mask_colours is None else read_colours(root / mask_colours)
    order = class_order(root) if classes is None else classes
    if order is None and colours is not None:
        order = classes_of_colours(colours, f"`mask_colours` {root / mask_colours}")
    table = read_label_table(
        root / labels_csv, order or (), split_column, image_column, label_columns, val_fold
    )
    named_by = "`classes`" if classes is not None or mask_colours is not None else str(root / CLASS_NAMES)
    seen = find_masks(files, masks, {forward(name) for name in table.labels})
    if not seen.photographs:
        raise InputError(
            f"{root} holds masks alone; expected images such as {root / 'images' / 'photo 1.jpg'}"
        )
    chosen = order
    if chosen is None:
        columns = [name for name in table.columns if not is_nothing(name)]
        chosen = in_order({*columns, *(label for row in table.labels.values() for label in row)})
        if not chosen:
            raise InputError(
                f"{root / labels_csv} holds no label; expected rows such as `photo 1.jpg,cat dog`"
            )
    chosen = foreground_names(chosen, "`classes` of dataset `folder`")
    finder = ImageFinder(root, seen.photographs, table.labels)
    found = {name: finder.find(name) for name in table.labels}
    identities = _identities(root / labels_csv, table, found)
    missing = [name for name, image in found.items() if image is None]
    ids_of_images = {image: identities[name] for name, image in found.items() if image is not None}
    mask_of, unused = seen.assigned(seen.photographs, missing, ids_of_images)
    splits = table.splits or drawn_splits(identities, val_share)
    records: list[Record] = []
    set_aside: dict[str, str] = {}
    objects: dict[str, tuple[int, ...]] = {}
    for name, identity in identities.items():
        labels = _known_labels(root / labels_csv, table, name, chosen, unknown_labels, named_by)
        image = found[name]
        if split not in ("all", splits[name]) and split_name(split) != splits[name]:
            continue
        if image is None:
            set_aside[identity] = (
                f"listed in {labels_csv}, line {table.lines[name]}, but no such image in {root}"
            )
            continue
        mask = mask_of.get(image)
        if not labels and not allow_unlabelled:
            cell = table.cells[name]
            why = "only labels that are not in `classes`" if table.labels[name] else "no label"
            why += f" (`{cell}`)" if cell and not table.labels[name] else ""
            set_aside[identity] = (
                f"{why} in {labels_csv}, line {table.lines[name]} (`allow_unlabelled` keeps it)"
            )
        elif require_masks and mask is None:
            set_aside[identity] = (
                f"no mask, such as {root / 'masks' / identity}.png, and `require_masks` is set"
            )
        else:
            objects[identity] = tuple(chosen.index(label) + 1 for label in labels)
            records.append(Record(identity, root / image, labels, None if mask is None else root / mask))
    if split in ("train", "all"):
        listed = {image for image in found.values() if image is not None}
        taken = set(identities.values())
        for path in seen.photographs:
            if path not in listed:
                identity = path.stem if path.stem not in taken else path.as_posix()
                set_aside[identity] = f"not listed in {labels_csv}, so it has no label" + _if_mask(
                    path, listed
                )
        set_aside |= unused
        set_aside |= {
            f"{path}/": "masks that `wsseg predict` has written; they are not taken for true masks"
            for path in files.own
            if (root / path / PREDICTED_WITH).is_file() and masks != "none"
        }
    if not records:
        _explain_empty(root, split, table, set_aside)
    values = value_table(chosen, mask_values, "`mask_values` of dataset `folder`")
    of_colours = None if colours is None else ids_of_colours(colours, chosen)
    reader = FolderMasks(values, mask_values is not None, mask_level, objects, chosen, of_colours)
    ids = values if mask_level is None and colours is None else value_table(chosen, None, "")
    records.sort(key=lambda record: record.id)
    return Dataset(
        "folder", split, chosen, records, set_aside, ids, mask_reader=reader.read, remarks=table.remarks
    )


def _known_labels(
    path: Path, table: LabelTable, name: str, classes: tuple[str, ...], unknown_labels: str, named_by: str
) -> tuple[str, ...]:
    for label in table.labels[name]:
        if label not in classes and unknown_labels == "error":
            raise InputError(
                f"{path}, line {table.lines[name]}: image `{name}` has the label `{label}`, which is not in "
                f"{named_by}; {nearest(label, classes)}; `unknown_labels: ignore` drops such labels"
            )
    return tuple(label for label in classes if label in table.labels[name])


def _identities(path: Path, table: LabelTable, found: Mapping[str, PurePosixPath | None]) -> dict[str, str]:
    """Return the id of each name in the table.

    Raises:
        InputError: Two names have one id.
    """
    ids = ids_of(dict.fromkeys(image for image in found.values() if image is not None))
    taken: dict[str, str] = {}
    result: dict[str, str] = {}
    for name, image in found.items():
        identity = name if image is None else ids[image]
        if identity in taken:
            raise InputError(
                f"{path}, line {table.lines[name]}: `{name}` and `{taken[identity]}` both have "
                f"the id `{identity}`; file names without extension must be unique in a folder, and an image is listed "
                "under one name: rename one of the two, or remove a row"
            )
        taken[identity] = name
        result[name] = identity
    return result


def _if_mask(path: PurePosixPath, listed: set[PurePosixPath]) -> str:
    """Return a hint if a file has the name of a listed image, as a mask has."""
    names = set(names_of_images(path))
    for image in listed:
        if names & {image.stem, image.name}:
            return f"; if it is the mask of {image}, set `masks: {pattern_of(path, image)!r}`"
    return ""


def _explain_empty(root: Path, split: str, table: LabelTable, set_aside: dict[str, str]) -> None:
    if set_aside:
        first = next(iter(set_aside))
        raise InputError(
            f"no image of split `{split}` of {root} can be used; {len(set_aside)} set aside, such as "
            f"`{first}`: {set_aside[first]}"
        )
    splits = {*table.splits.values(), "all"} if table.splits else {"train", "val", "all"}
    if split_name(split) in splits:
        hint = "list more images, or add a column `split` with train and val"
    else:
        hint = nearest(split, splits)
    raise InputError(f"{root} has no image in split `{split}`; {hint}")


def _splits(root: Path, options: Mapping[str, Any]) -> list[str]:
    path, column = root / options.get("labels_csv", "labels.csv"), options.get("split_column", "auto")
    names = ("image_column", "label_columns", "val_fold")
    given = {name: options[name] for name in names if name in options}
    order = options.get("classes") or class_order(root)
    if order is None and options.get("mask_colours"):
        order = classes_of_colours(read_colours(root / options["mask_colours"]), "`mask_colours`")
    table = read_label_table(path, order or (), column, **given)
    if table.splits:
        return sorted(set(table.splits.values()))
    return ["train", "val"] if options.get("val_share", 1) else ["train"]


LAYOUT = Layout(
    "folder",
    "labels.csv and images",
    lambda root: (root / "labels.csv").is_file(),
    _splits,
    proposed_options,
    REMARKS,
)
