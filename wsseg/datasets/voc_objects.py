"""Photographs with boxes in VOC's XML files and classes of your own: labelImg, CVAT's and Roboflow's exports.

    ROOT/NAME.jpg, ROOT/NAME.xml                    also below train, valid and test
    ROOT/JPEGImages/NAME.jpg, ROOT/Annotations/NAME.xml

The whole devkit, with lists in ImageSets/Segmentation and masks, is dataset `voc`.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from wsseg.datasets.annotated_images import images_of_annotations, splits_of_files
from wsseg.datasets.dataset import Dataset
from wsseg.datasets.folder_images import ids_of
from wsseg.datasets.label_cells import in_order
from wsseg.datasets.layout import Layout
from wsseg.datasets.record import Record
from wsseg.datasets.split_column import split_name
from wsseg.datasets.visible_files import visible_files
from wsseg.datasets.voc_boxes import VocBoxes, annotated_objects, image_name
from wsseg.errors import InputError, nearest
from wsseg.objects.instances import Instances


@dataclass(frozen=True)
class _Boxes:
    """Reader of boxes: image id -> its XML file."""

    files: Mapping[str, Path]
    classes: tuple[str, ...]
    difficult: bool

    def read(self, record: Record) -> Instances:
        """Return the boxes of the dataset's classes."""
        return VocBoxes(self.files[record.id].parent, self.classes, self.difficult).read_file(
            self.files[record.id], record.image
        )


def voc_objects(
    split: str = "train",
    root: Path | None = None,
    classes: tuple[str, ...] | None = None,
    val_share: float = 0.2,
    difficult: bool = True,
    allow_unlabelled: bool = False,
) -> Dataset:
    """Return a split of photographs with one XML file of boxes each.

    Args:
        split: `train`, `val`, `test` if there is such a folder, or `all` for every image.
        root: Folder of the images and the XML files, also in folders below it.
        classes: Classes in mask-id order; None for the names of all boxes, sorted.
        val_share: Share of the images in `val` if there are no folders of splits, in [0, 1).
        difficult: Whether boxes marked difficult count.
        allow_unlabelled: Whether to keep images without a box of a class: they hold background only.

    Returns:
        The dataset: labels and boxes, no masks.

    Raises:
        InputError: The folder holds no such XML file, one of them is broken, or an option is wrong.
    """
    if root is None or not root.is_dir():
        raise InputError(
            f"dataset `voc_objects` needs `root`: a folder with images and XML files; got {root}"
        )
    if not 0 <= val_share < 1:
        raise InputError(f"`val_share` of dataset `voc_objects` must be in [0, 1); got {val_share}; try 0.2")
    files = visible_files(root)
    annotations = _xml_files(root, files.others)
    if not annotations:
        raise InputError(f"{root} holds no XML file of boxes; expected files such as {root / 'photo 1.xml'}")
    found = {path: annotated_objects(root / path, difficult) for path in annotations}
    names = {path: image_name(root / path) for path in annotations}
    image_of, missing = images_of_annotations(root, names, files.images)
    labels_of = {
        path: frozenset(name for item in items if (name := (item.findtext("name") or "").strip()))
        for path, items in found.items()
    }
    chosen = classes or in_order({label for labels in labels_of.values() for label in labels})
    if not chosen:
        raise InputError(f"the XML files of {root} have no box with a name; annotate an image")
    ids = ids_of(image_of.values())
    splits = splits_of_files({path: ids[image] for path, image in image_of.items()}, val_share)
    wanted = split_name(split)
    if split != "all" and wanted not in splits.values():
        raise InputError(
            f"{root} has no image in split `{split}`; {nearest(split, {*splits.values(), 'all'})}"
        )
    set_aside = dict(missing) if split in ("train", "all") else {}
    records: list[Record] = []
    for path, image in image_of.items():
        if split == "all" or splits[path] == wanted:
            labels = tuple(label for label in chosen if label in labels_of[path])
            if labels or allow_unlabelled:
                records.append(Record(ids[image], root / image, labels))
            else:
                set_aside[ids[image]] = f"{path} has no box of a class (`allow_unlabelled` keeps it)"
    if split in ("train", "all"):
        annotated = set(image_of.values())
        bare = (image for image in files.images if image not in annotated)
        set_aside |= {str(image): "has no XML file of boxes, so it has no label" for image in bare}
    if not records:
        first = next(iter(set_aside.items()), ("", "no image"))
        raise InputError(
            f"no image of split `{split}` of {root} can be used; the first, `{first[0]}`: {first[1]}"
        )
    records.sort(key=lambda record: record.id)
    boxes = _Boxes({ids[image]: root / path for path, image in image_of.items()}, tuple(chosen), difficult)
    return Dataset("voc_objects", split, chosen, records, set_aside, box_reader=boxes.read)


def _xml_files(root: Path, others: Iterable[PurePosixPath], first: int | None = None) -> list[PurePosixPath]:
    """Return the XML files that begin as VOC's do; `first` limits how many are looked at."""
    named = [path for path in others if path.suffix.lower() == ".xml"]
    return [path for path in named[:first] if b"<annotation" in _start(root / path)]


def _start(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            return file.read(400)
    except OSError:
        return b""


def _splits(root: Path, options: Mapping[str, Any]) -> list[str]:
    paths = _xml_files(root, visible_files(root).others)
    found = set(splits_of_files({path: str(path) for path in paths}, options.get("val_share", 0.2)).values())
    return sorted(found, key=lambda name: (name != "train", name))


LAYOUT = Layout(
    "voc_objects",
    "images and XML files of boxes as labelImg writes them",
    lambda root: bool(_xml_files(root, visible_files(root).others, first=3)),
    _splits,
)
