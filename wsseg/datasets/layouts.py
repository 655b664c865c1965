"""Detect the layout of a dataset folder, and list its splits."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from wsseg.datasets.cityscapes import FOLDERS, IMAGES, splits_with
from wsseg.datasets.coco import annotated_splits
from wsseg.datasets.label_table import read_label_table
from wsseg.datasets.pascal_context import devkit_folder, lists_folder
from wsseg.datasets.voc import LABEL_TABLE
from wsseg.errors import InputError


@dataclass(frozen=True)
class Layout:
    """One layout of files.

    Attributes:
        name: Name of the dataset that reads it.
        marks: Description of the files by which the layout is detected.
        fits: Function: folder -> whether it has this layout.
        splits: Function: folder and dataset options -> the splits with annotations.
        options: Function: folder -> options that a check adds to the user's options, because it may open masks.
    """

    name: str
    marks: str
    fits: Callable[[Path], bool]
    splits: Callable[[Path, Mapping[str, Any]], list[str]]
    options: Callable[[Path], Mapping[str, Any]] = lambda root: {}


def _voc_splits(root: Path, options: Mapping[str, Any]) -> list[str]:
    lists = {path.stem for path in (root / "ImageSets/Segmentation").glob("*.txt")}
    if "trainaug" in lists and (root / "SegmentationClassAug").is_dir():
        lists.discard("train")  # the dataset reads `train` as trainaug then
    return _without_joined(lists)


def _context_splits(root: Path, options: Mapping[str, Any]) -> list[str]:
    lists = lists_folder(devkit_folder(root, options.get("voc"))).glob("*.txt")
    return _without_joined({path.stem for path in lists if "_" not in path.stem})


def _without_joined(lists: set[str]) -> list[str]:
    """Return the lists without trainval, which joins two others, and without VOC's test, which has no annotations."""
    if {"train", "val"} <= lists or {"trainaug", "val"} <= lists:
        lists = lists - {"trainval"}
    return sorted(lists - {"test"})


def _folder_splits(root: Path, options: Mapping[str, Any]) -> list[str]:
    table = read_label_table(root / options.get("labels_csv", "labels.csv"))
    if table.splits:
        return sorted(set(table.splits.values()) - {""})
    return ["train", "val"] if options.get("val_share", 1) else ["train"]


LAYOUTS = (
    Layout(
        "cityscapes",
        IMAGES,
        lambda root: (root / IMAGES).is_dir(),
        lambda root, options: splits_with(root, FOLDERS.get(options.get("annotations", "fine"), "gtFine")),
    ),
    Layout(
        "pascal_context",
        "trainval with ID.mat, and labels.txt",
        lambda root: (
            (root / "trainval").is_dir()
            and any((folder / "labels.txt").is_file() for folder in (root, root / "trainval"))
        ),
        _context_splits,
        lambda root: {} if (root / LABEL_TABLE).is_file() else {"labels": "masks"},
    ),
    Layout(
        "coco",
        "annotations/instances_train2017.json (or another year or split)",
        lambda root: (
            any((root / "annotations").glob("instances_*.json")) or bool(annotated_splits(root, "stuff"))
        ),
        lambda root, options: annotated_splits(root, options.get("masks", "instances"), options.get("year")),
    ),
    Layout(
        "voc",
        "JPEGImages and ImageSets/Segmentation",
        lambda root: (root / "JPEGImages").is_dir() and (root / "ImageSets/Segmentation").is_dir(),
        _voc_splits,
    ),
    Layout("folder", "labels.csv and images", lambda root: (root / "labels.csv").is_file(), _folder_splits),
)


def layout_of(name: str) -> Layout:
    """Return the layout of a dataset.

    Raises:
        InputError: The dataset does not exist, or has no layout because it is generated.
    """
    for layout in LAYOUTS:
        if layout.name == name:
            return layout
    names = ", ".join(layout.name for layout in LAYOUTS)
    raise InputError(f"dataset `{name}` has no files of yours to check; choose one of: {names}")


def detect(root: Path) -> Layout:
    """Return the layout of a folder.

    Raises:
        InputError: The folder does not exist or has no known layout. The message describes each layout, and names
            a subfolder that has one.
    """
    if not root.is_dir():
        raise InputError(f"{root} is not a folder; give the folder that holds a dataset")
    for layout in LAYOUTS:
        if layout.fits(root):
            return layout
    below = sorted(path for path in [*root.glob("*"), *root.glob("*/*")] if path.is_dir())
    inner = next((path for path in below if any(layout.fits(path) for layout in LAYOUTS)), None)
    if inner is not None:
        raise InputError(f"{root} itself is not a dataset; did you mean {inner}?")
    marks = "".join(f"\n  {layout.name}: {layout.marks}" for layout in LAYOUTS)
    raise InputError(
        f"{root} has no known layout; expected the files of one dataset:{marks}\nname the dataset with --name"
    )
