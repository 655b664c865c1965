"""PASCAL VOC 2012 in its devkit layout: all 20 classes or some of them.

    ROOT/JPEGImages/ID.jpg
    ROOT/ImageSets/Segmentation/{train,val,trainaug}.txt    one id per line
    ROOT/Annotations/ID.xml                                 boxes, for the labels
    ROOT/SegmentationClassAug/ID.png                        masks: VOC's own and SBD's (Hariharan 2011)
    ROOT/SegmentationClass/ID.png                           VOC's own masks
    ROOT/SegmentationObject/ID.png                          VOC's own instance maps
    ROOT/image_labels.csv, or ROOT/cls_labels.npy           optional: image,labels; the file of IRN, PSA and SEAM

SBD's masks can also be read from its original .mat files: see the option `sbd` and `wsseg.datasets.sbd`.

References:
    Everingham et al., The PASCAL Visual Object Classes Challenge 2012 (VOC2012) Development Kit.
    Hariharan et al., Semantic Contours from Inverse Detectors, ICCV 2011 (the additional masks).
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from wsseg.datasets.dataset import Dataset
from wsseg.datasets.label_table import read_label_table
from wsseg.datasets.layout import Layout, without_joined
from wsseg.datasets.mask_ids import mask_id_table
from wsseg.datasets.record import Record
from wsseg.datasets.sbd import sbd_folder, trainaug_ids
from wsseg.datasets.visible_files import is_there
from wsseg.datasets.voc_boxes import VocBoxes, annotated_objects
from wsseg.datasets.voc_truth import AUGMENTED_MASKS, VocTruth, read_values
from wsseg.errors import InputError, nearest

VOC_CLASSES = (
    "aeroplane", "bicycle", "bird", "boat", "bottle", "bus", "car", "cat", "chair", "cow", "diningtable",
    "dog", "horse", "motorbike", "person", "pottedplant", "sheep", "sofa", "train", "tvmonitor",
)  # fmt: skip
"""The 20 classes in the order of their mask ids: aeroplane is 1, tvmonitor is 20."""

LABEL_TABLE, LABEL_ARRAYS = "image_labels.csv", "cls_labels.npy"
_LABEL_SOURCES = ("auto", "csv", "npy", "xml", "masks")


def voc(
    split: str = "train",
    root: Path | None = None,
    classes: tuple[str, ...] | None = None,
    labels: str = "auto",
    other_objects: str = "background",
    difficult: bool = True,
    sbd: str | Path | None = None,
) -> Dataset:
    """Return a split of VOC 2012, or of a folder in the devkit's layout with part of the images.

    Masks come from `SegmentationClassAug` if that folder exists, else from `SegmentationClass`, else from SBD.
    An image without a mask file is kept, with `mask=None`. Objects come from `SegmentationObject` together with
    `SegmentationClass`, whatever the source of the masks, else from SBD. Images with none of the classes are not part
    of the dataset. Images whose label or file is missing are set aside.

    Args:
        split: Name of a list in `ImageSets/Segmentation`: train, val or trainaug. `train` means trainaug (10,582
            images) if `trainaug.txt` and `SegmentationClassAug` both exist or `sbd` is given, else the 1,464 images
            of `train.txt`. `train_only` is always `train.txt`. If `trainaug.txt` is missing and `sbd` is given, the
            list is made from the lists of VOC and SBD.
        root: The devkit's `VOC2012` folder.
        classes: Some of the 20 classes, in mask-id order; None for all, in VOC's order.
        labels: Source of the image-level labels: `xml` (the boxes in Annotations), `csv` (`ROOT/image_labels.csv`),
            `npy` (`ROOT/cls_labels.npy`, read without executing anything), `masks` (the classes in the mask: pixel
            labels, so not weak supervision), or `auto`: csv if that file exists, else npy, else xml.
        other_objects: With `classes`, the label of pixels of the other classes: background or ignore.
        difficult: Whether boxes marked difficult count as labels. IRN and PSA use every box of the XML,
            difficult ones included.
        sbd: SBD's folder `benchmark_RELEASE/dataset`; its .mat files are read for images without a PNG.

    Returns:
        The dataset.

    Raises:
        InputError: `root` does not have the devkit's layout, or an option, label or class is unknown.
    """
    root = _devkit(root)
    chosen = VOC_CLASSES if classes is None else classes
    table = mask_id_table(VOC_CLASSES, chosen, other_objects)
    truth = VocTruth(root, table, None if sbd is None else sbd_folder(Path(sbd).expanduser()))
    ids = _read_ids(root, split, truth)
    source = _label_source(root, labels, truth)
    table_file = root / (LABEL_ARRAYS if source == "npy" else LABEL_TABLE)
    listed = read_label_table(table_file, VOC_CLASSES).labels if source in ("csv", "npy") else {}
    records: list[Record] = []
    set_aside: dict[str, str] = {}
    for name in ids:
        image = root / "JPEGImages" / f"{name}.jpg"
        mask = truth.mask_file(name)
        try:
            if not is_there(image):
                raise InputError(f"image {image} does not exist, but the split lists it")
            if source in ("csv", "npy"):
                if name not in listed:
                    raise InputError(f"image `{name}` has no row in {table_file}")
                present = set(listed[name])
            elif source == "xml":
                present = _labels_of_boxes(root / "Annotations" / f"{name}.xml", difficult)
            else:
                if mask is None:
                    raise InputError(f"image `{name}` has no mask to read its labels from")
                present = _labels_of_mask(mask)
        except InputError as error:
            set_aside[name] = str(error)
            continue
        for label in sorted(present - set(VOC_CLASSES)):
            where = table_file if source in ("csv", "npy") else root / "Annotations" / f"{name}.xml"
            raise InputError(
                f"{where}: image `{name}` has the label `{label}`; {nearest(label, VOC_CLASSES)}"
            )
        kept = tuple(label for label in chosen if label in present)
        if kept:
            records.append(Record(name, image, kept, mask, truth.objects_file(name)))
    boxes = root / "Annotations"
    if not records:
        raise InputError(
            f"no image of split `{split}` of {root} can be used: {len(ids)} listed, {len(set_aside)} set "
            "aside"
            + (f" (first: {next(iter(set_aside.values()))})" if set_aside else f", none with any of {chosen}")
        )
    return Dataset(
        "voc",
        split,
        chosen,
        records,
        set_aside,
        table,
        truth.read_instances,
        truth.read_mask if sbd else None,
        box_reader=VocBoxes(boxes, chosen, difficult).read if boxes.is_dir() else None,
    )


def _devkit(root: Path | None) -> Path:
    if root is None:
        raise InputError(
            "dataset `voc` needs `root`: the folder VOC2012 of the devkit, which contains JPEGImages"
        )
    for part in ("JPEGImages", "ImageSets/Segmentation"):
        if not (root / part).is_dir():
            inner = next(
                (path for path in (root / "VOC2012", root / "VOCdevkit/VOC2012") if path.is_dir()), None
            )
            hint = f"; did you mean {inner}?" if inner else "; give the devkit's VOC2012 folder as `root`"
            raise InputError(f"{root} has no folder {part}{hint}")
    return root


def _read_ids(root: Path, split: str, truth: VocTruth) -> list[str]:
    folder = root / "ImageSets" / "Segmentation"
    lists = {path.stem: path for path in folder.glob("*.txt")}
    masks = truth.mask_folder
    augmented = "trainaug" in lists and masks is not None and masks.name == AUGMENTED_MASKS
    if split == "train" and (augmented or truth.sbd):
        split = "trainaug"
    if split == "trainaug" and split not in lists and truth.sbd and {"train", "val"} <= set(lists):
        return trainaug_ids(truth.sbd, read_list(lists["train"]), read_list(lists["val"]))
    name = "train" if split == "train_only" else split
    if name not in lists:
        raise InputError(f"{folder} has no list {split}.txt; {nearest(split, lists)}")
    return read_list(lists[name])


def read_list(path: Path) -> list[str]:
    """Read a list of image ids, one per line; return each id once, in the order of the file.

    Raises:
        InputError: The file cannot be read or is empty.
    """
    try:
        text = path.read_text()
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(
            f"{path} cannot be read ({error}); expected a text file with one image id per line"
        ) from error
    # Some releases of trainaug.txt have rows "/JPEGImages/ID.jpg /SegmentationClassAug/ID.png".
    rows = [row.split()[0] for row in text.splitlines() if row.strip()]
    ids = [Path(row).stem if "/" in row else row for row in rows]
    if not ids:
        raise InputError(f"{path} is empty; expected one image id per line")
    return list(dict.fromkeys(ids))


def _label_source(root: Path, labels: str, truth: VocTruth) -> str:
    if labels not in _LABEL_SOURCES:
        raise InputError(
            f"`labels` of dataset `voc` must not be `{labels}`; {nearest(labels, _LABEL_SOURCES)}"
        )
    there = {
        "csv": (root / LABEL_TABLE).is_file(),
        "npy": (root / LABEL_ARRAYS).is_file(),
        "xml": (root / "Annotations").is_dir(),
        "masks": truth.mask_folder is not None or truth.sbd is not None,
    }
    if labels == "auto":
        found = [name for name in ("csv", "npy", "xml") if there[name]]
        if not found:
            raise InputError(
                f"{root} has neither {LABEL_TABLE} nor a folder Annotations to read image-level labels from; "
                "`labels: masks` reads them from the masks, which is not weak supervision"
            )
        return found[0]
    if not there[labels]:
        wanted = {
            "csv": LABEL_TABLE,
            "npy": LABEL_ARRAYS,
            "xml": "Annotations",
            "masks": "SegmentationClassAug or SegmentationClass",
        }
        raise InputError(f"`labels: {labels}` needs {wanted[labels]} in {root}, which does not exist")
    return labels


def _labels_of_boxes(path: Path, difficult: bool) -> set[str]:
    return {(item.findtext("name") or "").strip() for item in annotated_objects(path, difficult)}


def _labels_of_mask(path: Path) -> set[str]:
    values = np.unique(read_values(path))
    return {VOC_CLASSES[value - 1] for value in values if 1 <= value <= len(VOC_CLASSES)}


def _splits(root: Path, options: Mapping[str, Any]) -> list[str]:
    lists = {path.stem for path in (root / "ImageSets/Segmentation").glob("*.txt")}
    if "trainaug" in lists and (root / "SegmentationClassAug").is_dir():
        lists.discard("train")  # means trainaug there
    return without_joined(lists)


LAYOUT = Layout(
    "voc",
    "JPEGImages and ImageSets/Segmentation",
    lambda root: (root / "JPEGImages").is_dir() and (root / "ImageSets/Segmentation").is_dir(),
    _splits,
)
