"""PASCAL-Context: a label for every pixel of VOC 2010's training and validation images, in its 59- or 33-class form.

    ROOT/trainval/ID.mat                    LabelMap: (H, W), ids of labels.txt
    ROOT/labels.txt                         "1: accordion": all 459 names; beside trainval or in it
    ROOT/59_labels.txt, ROOT/33_labels.txt  "1: aeroplane": the names of each form, in its order
    VOC/JPEGImages/ID.jpg                   VOC 2010's devkit: ROOT itself, ROOT/VOC2010, or the option `voc`
    VOC/ImageSets/Main/{train,val}.txt      4,998 and 5,105 ids
    ROOT/image_labels.csv                   optional: image,labels

The names of the forms are looked up in labels.txt, without their spaces. Three of the 59 have another spelling there:
diningtable is table, bedcloth is bedclothes, clothes is cloth. The authors also publish both forms as PNGs
(59_context_labels, 33_context_labels), which are not read. It is not confirmed that the 33 names need no other
spelling: a name that is missing in labels.txt raises an error.

References:
    Mottaghi et al., The Role of Context for Object Detection and Semantic Segmentation in the Wild, CVPR 2014.
    Shelhamer et al., Fully Convolutional Networks for Semantic Segmentation, PAMI 2017 (the usual division: the lists
    of ImageSets/Main; and the spellings, of its data layer).
"""

import re
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from wsseg.datasets.dataset import Dataset
from wsseg.datasets.label_table import read_label_table
from wsseg.datasets.layout import Layout, without_joined
from wsseg.datasets.mask_ids import mask_id_table
from wsseg.datasets.mat_files import read_id_map, read_mat
from wsseg.datasets.record import Record
from wsseg.datasets.visible_files import is_there
from wsseg.datasets.voc import LABEL_TABLE, read_list
from wsseg.errors import InputError, nearest
from wsseg.progress import bar

FORMS = (59, 33)
_SPELT = {"diningtable": "table", "bedcloth": "bedclothes", "clothes": "cloth"}
_LABEL_SOURCES = ("auto", "csv", "masks")


def pascal_context(
    split: str = "train",
    root: Path | None = None,
    classes: tuple[str, ...] | None = None,
    form: int = 59,
    voc: str | Path | None = None,
    labels: str = "auto",
    other_objects: str = "background",
    allow_unlabelled: bool = False,
) -> Dataset:
    """Return a split of PASCAL-Context.

    The dataset has no instances. Images whose file, mask or label is missing are set aside. Images with none of the
    classes are not part of the dataset.

    Args:
        split: train or val, or another list in the devkit's folder of lists.
        root: Folder with trainval, labels.txt and 59_labels.txt or 33_labels.txt.
        classes: Some classes of the form, in mask-id order; None for all, in the order of its file.
        form: Number of classes of the form: 59 or 33.
        voc: The devkit's folder VOC2010; None if its folders are in `root` or in `root`/VOC2010.
        labels: Source of the image-level labels: `csv` (`ROOT/image_labels.csv`), `masks` (the classes in the mask,
            the only labels that are published; every .mat file is read when the dataset is opened), or `auto`: csv,
            which must exist. Masks hold pixel labels, so they are read only if `masks` is set.
        other_objects: Label of pixels of all other names: background (the protocol with 60 classes) or ignore (the
            protocol with 59).
        allow_unlabelled: Whether to keep images with none of the classes: they hold background only.

    Returns:
        The dataset.

    Raises:
        InputError: A folder, list or name is missing (the message names it), or an option is wrong.
    """
    if root is None:
        raise InputError(
            "dataset `pascal_context` needs `root`: the folder that contains trainval and labels.txt"
        )
    if form not in FORMS:
        raise InputError(f"`form` of dataset `pascal_context` must be 59 or 33; got {form!r}")
    if not (root / "trainval").is_dir():
        raise InputError(
            f"{root} has no folder trainval (from trainval.tar.gz), with one file ID.mat per image"
        )
    names = read_names(_file(root, "labels.txt"))
    ids = {name: number for number, name in names.items()}
    stored = form_names(root, form, ids)
    chosen = tuple(stored) if classes is None else classes
    table = _id_table(names, stored, chosen, other_objects)
    devkit = devkit_folder(root, voc)
    listed = read_list(_list(devkit, split))
    source = _label_source(root, labels)
    known = read_label_table(root / LABEL_TABLE).labels if source == "csv" else {}
    records: list[Record] = []
    set_aside: dict[str, str] = {}
    with bar(
        f"reading labels of {split}" if source == "masks" else f"listing {split}", len(listed)
    ) as advance:
        for name in listed:
            image, mask = devkit / "JPEGImages" / f"{name}.jpg", root / "trainval" / f"{name}.mat"
            try:
                for path in (image, mask):
                    if not is_there(path):
                        raise InputError(f"{path} does not exist, but the split lists it")
                if source == "csv" and name not in known:
                    raise InputError(f"image `{name}` has no row in {root / LABEL_TABLE}")
                present = set(known[name]) if source == "csv" else _names_in(mask, stored)
            except InputError as error:
                set_aside[name] = str(error)
                continue
            finally:
                advance()
            for label in sorted(present - set(stored)):
                raise InputError(
                    f"{root / LABEL_TABLE}: image `{name}` has the label `{label}`; {nearest(label, stored)}"
                )
            kept = tuple(label for label in chosen if label in present)
            if kept or allow_unlabelled:
                records.append(Record(name, image, kept, mask))
    if not records:
        why = f" (first: {next(iter(set_aside.values()))})" if set_aside else ""
        raise InputError(
            f"no image of split `{split}` of {root} can be used: {len(listed)} listed, {len(set_aside)} set "
            f"aside{why}, the others have none of the classes; are the lists those of VOC 2010?"
        )
    return Dataset("pascal_context", split, chosen, records, set_aside, table, mask_reader=read_label_map)


def read_label_map(record: Record) -> np.ndarray:
    """Return a record's LabelMap, `(H, W)` in the ids of labels.txt."""
    return read_id_map(read_mat(record.mask, "LabelMap"), f"LabelMap of {record.mask}")


def read_names(path: Path) -> dict[int, str]:
    """Read lines `id: name`.

    Raises:
        InputError: The file is missing or has other lines; the message names the file and the line.
    """
    try:
        lines = path.read_text().splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{path} cannot be read ({error}); expected lines such as `2: aeroplane`") from error
    names: dict[int, str] = {}
    for number, line in enumerate(lines, 1):
        if line.strip():
            identity, _, name = line.partition(":")
            name = "".join(name.split())
            if not re.fullmatch(r"\s*\d{1,9}\s*", identity) or not name:
                raise InputError(
                    f"{path}, line {number}: expected `id: name`, as in `2: aeroplane`; got {line!r}"
                )
            names[int(identity)] = name
    if not names:
        raise InputError(f"{path} is empty; expected lines such as `2: aeroplane`")
    return names


def form_names(root: Path, form: int, ids: dict[str, int]) -> dict[str, int]:
    """Return the names of a form in the order of its file, and their ids in labels.txt.

    Raises:
        InputError: The file is missing, or one of its names is missing in labels.txt.
    """
    path = _file(root, f"{form}_labels.txt", f"{form}_context_labels.txt")
    found = {}
    for _, name in sorted(read_names(path).items()):
        spelt = name if name in ids else _SPELT.get(name, name)
        if spelt not in ids:
            raise InputError(f"{path} names `{name}`, which is not in labels.txt; {nearest(name, ids)}")
        found[name] = ids[spelt]
    return found


def devkit_folder(root: Path, voc: str | Path | None) -> Path:
    """Return the folder of VOC 2010's images and lists.

    Raises:
        InputError: The folder is not found.
    """
    folders = [root, root / "VOC2010", root / "VOCdevkit" / "VOC2010"]
    if voc is not None:
        folders = [Path(voc).expanduser(), Path(voc).expanduser() / "VOC2010"]
    for folder in folders:
        if (folder / "JPEGImages").is_dir():
            return folder
    raise InputError(
        f"{folders[0]} has no folder JPEGImages; give the devkit's folder VOC2010 as the option `voc`"
    )


def lists_folder(devkit: Path) -> Path:
    """Return the folder of the lists: ImageSets/Main, or ImageSets/Segmentation if there is no Main.

    Raises:
        InputError: There is neither.
    """
    for name in ("Main", "Segmentation"):
        if (devkit / "ImageSets" / name).is_dir():
            return devkit / "ImageSets" / name
    raise InputError(
        f"{devkit} has no folder ImageSets/Main, with the lists train.txt and val.txt of VOC 2010"
    )


def _list(devkit: Path, split: str) -> Path:
    folder = lists_folder(devkit)
    lists = {path.stem: path for path in folder.glob("*.txt") if "_" not in path.stem}
    if split not in lists:
        raise InputError(f"{folder} has no list {split}.txt; {nearest(split, lists)}")
    return lists[split]


def _file(root: Path, *names: str) -> Path:
    files = [folder / name for name in names for folder in (root, root / "trainval")]
    found = next((file for file in files if file.is_file()), None)
    if found is None:
        raise InputError(f"{files[0]} does not exist; it is one of the files of PASCAL-Context")
    return found


def _id_table(
    names: dict[int, str], stored: dict[str, int], classes: tuple[str, ...], other_objects: str
) -> np.ndarray:
    small = mask_id_table(tuple(stored), classes, other_objects)  # from the form's numbers, from 1
    other = 0 if other_objects == "background" else 255
    table = np.full(
        max(names) + 1, other, np.int16
    )  # 0 is not known to occur in the files; it is treated as any other name
    for position, number in enumerate(stored.values(), 1):
        table[number] = small[position]
    return table


def _label_source(root: Path, labels: str) -> str:
    if labels not in _LABEL_SOURCES:
        raise InputError(
            f"`labels` of dataset `pascal_context` must not be `{labels}`; {nearest(labels, _LABEL_SOURCES)}"
        )
    there = (root / LABEL_TABLE).is_file()
    if labels == "csv" and not there:
        raise InputError(f"`labels: csv` needs {LABEL_TABLE} in {root}, which does not exist")
    if labels == "auto" and not there:
        raise InputError(
            f"{root} has no {LABEL_TABLE} to read image-level labels from, and the dataset itself has labels in its "
            "masks only; `labels: masks` reads them from there"
        )
    return "csv" if labels == "auto" else labels


def _names_in(path: Path, stored: dict[str, int]) -> set[str]:
    try:
        status = path.stat()
    except OSError as error:
        raise InputError(f"{path} cannot be read ({error.strerror})") from error
    present = _ids_in(path, status.st_mtime_ns, status.st_size)
    return {name for name, number in stored.items() if number in present}


@lru_cache(maxsize=20_000)
def _ids_in(path: Path, mtime_ns: int, size: int) -> frozenset[int]:
    """Read a file, cached: a run opens a split several times, with thousands of files of some milliseconds each."""
    ids = read_id_map(read_mat(path, "LabelMap"), f"LabelMap of {path}")
    return frozenset(np.unique(ids).tolist())


def _splits(root: Path, options: Mapping[str, Any]) -> list[str]:
    lists = lists_folder(devkit_folder(root, options.get("voc"))).glob("*.txt")
    return without_joined({path.stem for path in lists if "_" not in path.stem})


LAYOUT = Layout(
    "pascal_context",
    "trainval with ID.mat, and labels.txt",
    lambda root: (
        (root / "trainval").is_dir()
        and any((folder / "labels.txt").is_file() for folder in (root, root / "trainval"))
    ),
    _splits,
    lambda root: {} if (root / LABEL_TABLE).is_file() else {"labels": "masks"},
)
