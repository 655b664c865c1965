"""Datasets of images, labels and masks. `create("voc", root="VOC2012")` returns a sequence of records."""

import errno
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from wsseg import catalogue
from wsseg.class_names import foreground_names
from wsseg.datasets.dataset import Dataset
from wsseg.datasets.option_types import check_types
from wsseg.datasets.record import Record
from wsseg.errors import InputError

__all__ = ["DATASETS", "Dataset", "Record", "create"]

DATASETS = {
    "scenes": "wsseg.datasets.scenes.dataset:scenes",
    "cityscapes": "wsseg.datasets.cityscapes:cityscapes",
    "pascal_context": "wsseg.datasets.pascal_context:pascal_context",
    "coco": "wsseg.datasets.coco:coco",
    "voc": "wsseg.datasets.voc:voc",
    "folder": "wsseg.datasets.folder:folder",
    "voc_objects": "wsseg.datasets.voc_objects:voc_objects",
    "labelme": "wsseg.datasets.labelme:labelme",
    "mask_folders": "wsseg.datasets.mask_folders:mask_folders",
    "class_folders": "wsseg.datasets.class_folders:class_folders",
}


def create(
    name: str,
    split: str = "train",
    root: str | Path | None = None,
    classes: Sequence[str] | None = None,
    **options: Any,
) -> Dataset:
    """Return a dataset by name.

    Args:
        name: A key of `DATASETS`: scenes (built in, no download), voc (PASCAL VOC 2012, with SBD), pascal_context,
            coco (or data in its format), cityscapes, folder (images and a CSV), voc_objects and labelme (images and
            their files), mask_folders (images and masks without labels) or class_folders (one folder of images per
            class).
        split: Part of the dataset, such as train or val.
        root: Folder of the dataset. None is legal for scenes only, which then uses its own cache folder.
        classes: Foreground classes in mask-id order; None for all classes of the dataset.
        **options: Further options of the dataset; see the function that `DATASETS` names.

    Returns:
        The dataset.

    Raises:
        InputError: There is no such dataset or option (the message names the nearest one), or the files of the
            dataset are not as expected.
    """
    reader = catalogue.load(DATASETS, name, "dataset")
    catalogue.check_options(f"dataset `{name}`", options, catalogue.options_of(reader))
    check_types(f"dataset `{name}`", reader, options)
    if isinstance(classes, str):
        raise InputError(f"`classes` must be a list of names; got the text {classes!r}; write [{classes}]")
    if classes is not None:
        foreground_names(tuple(classes), f"`classes` of dataset `{name}`")
    try:
        return reader(
            split=split,
            root=None if root is None else Path(root).expanduser(),
            classes=None if classes is None else tuple(classes),
            **options,
        )
    except OSError as error:
        if error.errno not in (errno.ENAMETOOLONG, errno.ELOOP):
            raise
        raise InputError(
            f"dataset `{name}`: no file can be called {str(error.filename)[:300]!r} ({error.strerror}); give the path "
            "of a folder as `root`, and shorter names"
        ) from error
