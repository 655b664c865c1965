"""COCO's objects, COCO's stuff, or your own data in COCO's format.

    ROOT/annotations/instances_SPLITYEAR.json      objects of 80 categories (ids 1..90 with gaps)
    ROOT/annotations/stuff_SPLITYEAR.json          stuff of 91 categories, 92..182, and 183: other
    ROOT/annotations/stuff_SPLITYEAR_pixelmaps/ID.png   masks of stuff in these ids; or directly in ROOT
    ROOT/SPLITYEAR/ID.jpg                          the images; or in ROOT/images

SPLIT is train or val, YEAR is 2017 (118,287 and 5,000 images) or 2014 (82,783 and 40,504). Exports of CVAT, Datumaro
and Roboflow are found by their own names, see `wsseg.datasets.coco_files`.

References:
    Lin et al., Microsoft COCO: Common Objects in Context, ECCV 2014; Caesar et al., COCO-Stuff, CVPR 2018.
"""

from collections.abc import Mapping
from pathlib import Path

import numpy as np

from wsseg.artifacts import IGNORE
from wsseg.class_names import BACKGROUND_NAMES
from wsseg.datasets.coco_files import (
    ROBOFLOW,
    YEARS,
    ImageFolder,
    annotated_splits,
    annotation_file,
    of_split,
    per_split,
    splits_of_pattern,
)
from wsseg.datasets.coco_truth import CocoTruth
from wsseg.datasets.dataset import Dataset
from wsseg.datasets.layout import Layout
from wsseg.datasets.mask_ids import ILLEGAL
from wsseg.datasets.record import Record
from wsseg.errors import InputError, nearest
from wsseg.objects.coco_annotations import CocoIndex, read_index

STUFF_OTHER = "other"
"""The stuff category of all pixels of things; it is the background of a mask of stuff."""


def coco(
    split: str = "train",
    root: Path | None = None,
    classes: tuple[str, ...] | None = None,
    year: int | None = None,
    masks: str = "instances",
    other_objects: str = "background",
    allow_unlabelled: bool = False,
    annotations: str | Mapping[str, str] | None = None,
    images: str | Mapping[str, str] | None = None,
    outside_root: bool = False,
) -> Dataset:
    """Return a split of COCO, or of other data in its format.

    Mask id k + 1 is the k-th category (from 0) in order of id, so the ids have no gaps. Image-level labels are the
    categories of an image's annotations, crowds included. Masks of objects are drawn when they are read: a smaller
    object lies in front of a larger one, and a crowd is 255 where there is no object. Parts outside the image are cut
    off. The name of an image is that of its file without extension; of images that share it, the path, with `__`
    between the folders. A file of image-level labels alone, without boxes and outlines, gives labels alone.

    An object without a usable outline, among others that have one, keeps its label, and its box is 255 where there is
    no other object; it is listed in `ignored`. Images whose file is missing are set aside, and so is a second image
    with the same path without extension. Annotations that are not used at all are listed in `left_out`, those that are
    read otherwise than they are written in `remarks`; see `wsseg.objects.coco_annotations.read_index`. Images with none
    of the classes are not part of the dataset.

    Args:
        split: train or val: the part of the file names before the year. An export of CVAT without subsets is train.
        root: Folder that contains the folder annotations and the folders of images.
        classes: Some category names, in mask-id order; None for all.
        year: 2017 or 2014; None for the latest year with annotations.
        masks: `instances` (things, with instances) or `stuff` (grass, sky ...: masks from the pixel maps, where things
            are background and unlabelled pixels are ignored; no instances).
        other_objects: With `classes`, the label of pixels of the other categories: background or ignore.
        allow_unlabelled: Whether to keep images with none of the classes, as COCO's detection scores do.
        annotations: Annotation file relative to `root`, in which `{split}` stands for the split; or one file for each
            split, such as `{train: a.json, val: b.json}`; None for the names of COCO, CVAT, Datumaro or Roboflow.
        images: Folder of the images relative to `root`, in the same forms as `annotations`.
        outside_root: Whether a file name may lead out of `images` and `root`, by `..` or as a full path. Otherwise such
            an image is set aside: a file from elsewhere must not choose what is read on this machine.

    Returns:
        The dataset.

    Raises:
        InputError: A file or folder is missing, the annotations are broken or contradict themselves (the message names
            the file and the entry), or an option is wrong.
    """
    if root is None:
        raise InputError("dataset `coco` needs `root`: the folder that contains annotations and train2017")
    if masks not in ("instances", "stuff"):
        raise InputError(f"`masks` of dataset `coco` must be instances or stuff; got {masks!r}")
    if year is not None and year not in YEARS:
        raise InputError(f"`year` of dataset `coco` must be 2017 or 2014; got {year!r}")
    path, names = annotation_file(root, split, masks, year, annotations)
    index = read_index(path, segmentations=masks == "instances")
    used = {one.category for image in index.images.values() for one in image.objects}
    offered = {
        identity: label
        for identity, label in index.categories.items()
        if (masks == "instances" or label != STUFF_OTHER)
        and (
            identity in used or label.lower() not in BACKGROUND_NAMES
        )  # a name of mask id 0, and nothing more
    }
    if classes is None and (
        named := [label for label in offered.values() if label.lower() in BACKGROUND_NAMES]
    ):
        others = ", ".join(label for label in offered.values() if label not in named)
        raise InputError(
            f"{path}: the category `{named[0]}` has annotations, and the background is no class; set `classes: "
            f"[{others}]`, which makes its pixels background"
        )
    chosen = tuple(offered.values()) if classes is None else classes
    ids = _mask_ids(offered, chosen, other_objects)
    listed = [image.file_name for image in index.images.values()]
    folder = ImageFolder(root, names, of_split("images", images, split), listed, outside_root)
    maps = _pixel_maps(root, names[0]) if masks == "stuff" else None
    records, set_aside = _records(index, path, folder, maps, chosen, allow_unlabelled)
    if not records:
        why = f" (first: {next(iter(set_aside.values()))})" if set_aside else ""
        raise InputError(
            f"no image of {path} can be used: of {len(index.images)}, {len(set_aside)} set aside{why}, the others "
            "have none of the classes"
        )
    left_out, remarks = index.left_out, index.remarks
    if masks == "stuff":
        table = _stuff_table(index, ids)
        return Dataset("coco", split, chosen, records, set_aside, table, left_out=left_out, remarks=remarks)
    truth = CocoTruth(path, ids)
    return Dataset(
        "coco",
        split,
        chosen,
        records,
        set_aside,
        instance_reader=truth.read_instances,
        mask_reader=truth.read_mask,
        left_out=left_out,
        box_reader=truth.read_boxes if index.boxed else None,
        ignored=index.ignored,
        remarks=remarks,
    )


def _records(
    index: CocoIndex,
    path: Path,
    folder: ImageFolder,
    maps: Path | None,
    classes: tuple[str, ...],
    allow_unlabelled: bool,
) -> tuple[list[Record], dict[str, str]]:
    map_files = set() if maps is None else {file.name for file in maps.iterdir()}
    set_aside = dict(index.unnamed) | dict.fromkeys(
        index.repeated, "another image has the same name, without extension; rename one of the two"
    )
    owner: dict[Path, str] = {}
    records: list[Record] = []
    for stem, image in index.by_stem.items():
        present = {index.categories[found.category] for found in image.objects}
        labels = tuple(label for label in classes if label in present)
        if not labels and not allow_unlabelled:
            continue
        file = folder.find(image.file_name)
        if file is None and folder.outside(image.file_name):
            set_aside[stem] = (
                f"{path.name} names the image {image.file_name}, which lies outside of {folder.root}; move it, or "
                "allow it by `dataset.outside_root: true`"
            )
        elif file is None:
            set_aside[stem] = (
                f"image {folder.folder / image.file_name} does not exist, but {path.name} lists it"
            )
        elif file in owner:
            set_aside[stem] = (
                f"{file} is also the image `{owner[file]}`; {image.file_name} itself does not exist"
            )
        elif maps is not None:
            mask = maps / f"{stem}.png"
            records.append(Record(stem, file, labels, mask if mask.name in map_files else None))
        else:
            boxed = path if index.boxed else None
            records.append(Record(stem, file, labels, path if index.segmented else None, boxed))
        if file is not None:
            owner.setdefault(file, stem)
    return records, set_aside


def _mask_ids(offered: dict[int, str], classes: tuple[str, ...], other_objects: str) -> dict[int, int]:
    if other_objects not in ("background", "ignore"):
        raise InputError(f"`other_objects` must be background or ignore; got {other_objects!r}")
    for label in classes:
        if label not in offered.values():
            raise InputError(f"unknown class `{label}` in `classes`; {nearest(label, offered.values())}")
    if len(classes) >= IGNORE:
        raise InputError(
            f"{len(classes)} classes are too many for 8-bit masks; choose up to 254 in `classes`"
        )
    other = 0 if other_objects == "background" else IGNORE
    return {
        identity: classes.index(label) + 1 if label in classes else other
        for identity, label in offered.items()
    }


def _stuff_table(index: CocoIndex, ids: dict[int, int]) -> np.ndarray:
    table = np.full(256, ILLEGAL, np.int16)
    table[0] = table[IGNORE] = IGNORE  # 0: unlabelled
    for identity, label in index.categories.items():
        if not 0 < identity < IGNORE:
            raise InputError(f"the category id {identity} of `{label}` does not fit an 8-bit pixel map")
        table[identity] = ids.get(identity, 0)  # the category `other` has no id: background
    return table


def _pixel_maps(root: Path, name: str) -> Path:
    folder = f"stuff_{name}_pixelmaps"
    for found in (root / "annotations" / folder, root / folder):
        if found.is_dir():
            return found
    raise InputError(
        f"{root / 'annotations' / folder} does not exist; unpack stuff_{name}_pixelmaps.zip there"
    )


def _splits(root: Path, options: Mapping[str, object]) -> list[str]:
    found = per_split(options) or splits_of_pattern(root, options.get("annotations"))
    return found or annotated_splits(root, options.get("masks", "instances"), options.get("year"))


LAYOUT = Layout(
    "coco",
    f"annotations/instances_train2017.json (or another year or split), or train/{ROBOFLOW}",
    lambda root: bool(annotated_splits(root) or annotated_splits(root, "stuff")),
    _splits,
)
