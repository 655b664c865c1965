"""Photographs and their masks in folders, without a file of labels: CamVid, and what is exported like it.

    ROOT/train/NAME.png, ROOT/train_labels/NAME_L.png   also images/NAME.jpg and masks/NAME.png
    ROOT/classes.txt                                    names of the classes, if the masks hold ids; or
    ROOT/label_colors.txt, ROOT/class_dict.csv          their colours, if the masks hold colours

The labels are the classes in the masks: pixel labels, so a run of them is not weakly supervised in the strict sense.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from wsseg.class_names import foreground_names
from wsseg.datasets.class_order import class_order
from wsseg.datasets.colour_table import classes_of_colours, ids_of_colours, read_colours
from wsseg.datasets.dataset import Dataset
from wsseg.datasets.drawn_splits import drawn_splits
from wsseg.datasets.folder_images import ids_of
from wsseg.datasets.folder_mask_reader import FolderMasks
from wsseg.datasets.folder_masks import FoundMasks, find_masks
from wsseg.datasets.folder_options import colour_file
from wsseg.datasets.labels_of_masks import labels_of_masks, split_of
from wsseg.datasets.layout import Layout
from wsseg.datasets.mask_ids import translate
from wsseg.datasets.mask_values import value_table
from wsseg.datasets.record import Record
from wsseg.datasets.split_column import split_name
from wsseg.datasets.visible_files import visible_files
from wsseg.errors import InputError, nearest
from wsseg.file_names import CLASS_NAMES


def mask_folders(
    split: str = "train",
    root: Path | None = None,
    classes: tuple[str, ...] | None = None,
    masks: str = "auto",
    mask_values: Mapping | None = None,
    mask_colours: str | None = None,
    val_share: float = 0.2,
    allow_unlabelled: bool = False,
) -> Dataset:
    """Return a split of photographs with masks, whose labels are the classes in the masks.

    Every mask is read when the dataset is opened. Photographs without a mask are set aside. If all photographs lie in
    folders named train, val or test, these are the splits; otherwise train and val are drawn by a hash of the id.

    Args:
        split: `train`, `val`, `test`, or `all` for every image.
        root: Folder of the images and the masks.
        classes: Classes in mask-id order; None for the lines of `root/classes.txt`, or the names of `mask_colours`.
        masks: See dataset `folder`.
        mask_values: See dataset `folder`.
        mask_colours: See dataset `folder`.
        val_share: Share of the images in `val` if the splits are drawn, in [0, 1).
        allow_unlabelled: Whether to keep images whose mask has no class: they hold background only.

    Returns:
        The dataset.

    Raises:
        InputError: The folder, the classes or the masks do not exist, a mask cannot be read, or an option is wrong.
    """
    if root is None or not root.is_dir():
        raise InputError(f"dataset `mask_folders` needs `root`: a folder with images and masks; got {root}")
    if not 0 <= val_share < 1:
        raise InputError(f"`val_share` of dataset `mask_folders` must be in [0, 1); got {val_share}; try 0.2")
    if mask_values is not None and mask_colours is not None:
        raise InputError(
            "dataset `mask_folders`: `mask_values` and `mask_colours` are two ways to read masks"
        )
    colours = None if mask_colours is None else read_colours(root / mask_colours)
    chosen = classes or class_order(root)
    if chosen is None and colours is not None:
        chosen = classes_of_colours(colours, f"`mask_colours` {root / mask_colours}")
    if chosen is None:
        raise InputError(
            f"the names of the classes are not known; list them in {root / CLASS_NAMES}, in the order of the masks' "
            "values 1, 2, ..., or as `classes`; of masks in colours, name the file of colours as `mask_colours`"
        )
    chosen = foreground_names(chosen, "`classes` of dataset `mask_folders`")
    seen = find_masks(visible_files(root), masks, set())
    ids = ids_of(seen.photographs)
    mask_of, unused = seen.assigned(seen.photographs, [], ids)
    if not mask_of:
        raise InputError(
            f"{root} has no mask that belongs to an image, such as masks/NAME.png; say where with `masks`"
        )
    values = value_table(chosen, mask_values, "`mask_values` of dataset `mask_folders`")
    of_colours = None if colours is None else ids_of_colours(colours, chosen)
    reader = FolderMasks(values, mask_values is not None, None, {}, chosen, of_colours)
    table = value_table(chosen, None, "") if colours is not None else values

    def read(mask: Any) -> np.ndarray:
        path = root / mask
        return translate(reader.read(Record(path.stem, path, (), path)), table, f"mask {path}")

    found = labels_of_masks(mask_of, read, chosen)
    splits = found.splits or drawn_splits({str(path): ids[path] for path in mask_of}, val_share)
    wanted = split_name(split)
    if split != "all" and wanted not in splits.values():
        raise InputError(
            f"{root} has no image in split `{split}`; {nearest(split, {*splits.values(), 'all'})}"
        )
    aside = dict(unused)
    aside |= {
        str(path): "has no mask, so it has no label" for path in seen.photographs if path not in mask_of
    }
    set_aside = aside if split in ("train", "all") else {}
    records = []
    for path, mask in mask_of.items():
        if split == "all" or splits[str(path)] == wanted:
            labels = found.labels[str(path)]
            if labels or allow_unlabelled:
                records.append(Record(ids[path], root / path, labels, root / mask))
            else:
                set_aside[ids[path]] = "its mask has no class (`allow_unlabelled` keeps it)"
    if not records:
        raise InputError(
            f"no image of split `{split}` of {root} has a class in its mask; check the masks' values"
        )
    records.sort(key=lambda record: record.id)
    return Dataset("mask_folders", split, chosen, records, set_aside, table, mask_reader=reader.read)


def _found(root: Path, options: Mapping[str, Any]) -> FoundMasks:
    return find_masks(visible_files(root), options.get("masks", "auto"), set())


def _fits(root: Path) -> bool:
    if not ((root / CLASS_NAMES).is_file() or colour_file(root)):
        return False
    found = _found(root, {})
    return bool(found.masks and found.photographs)


def _splits(root: Path, options: Mapping[str, Any]) -> list[str]:
    splits = {split_of(path) for path in _found(root, options).photographs}
    if None not in splits:
        return sorted(splits)
    return ["train", "val"] if options.get("val_share", 1) else ["train"]


def _options(root: Path) -> dict[str, Any]:
    name = colour_file(root)
    return {} if name is None or (root / CLASS_NAMES).is_file() else {"mask_colours": name}


LAYOUT = Layout(
    "mask_folders",
    "images and masks in folders, and classes.txt, label_colors.txt or class_dict.csv",
    _fits,
    _splits,
    _options,
    {"mask_colours": "file of the colours of the masks, by its name"},
)
