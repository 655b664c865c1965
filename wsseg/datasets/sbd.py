"""The Semantic Boundaries Dataset's own files: masks and objects of VOC's images beyond those that VOC has masks for.

    benchmark_RELEASE/dataset/cls/ID.mat      GTcls.Segmentation: (H, W), 0 = background, 1..20 in VOC's order
    benchmark_RELEASE/dataset/inst/ID.mat     GTinst.Segmentation: (H, W), 0 = none, object k; GTinst.Categories: (N, 1)
    benchmark_RELEASE/dataset/{train,val}.txt   8,498 and 2,857 ids: 11,355, another division than VOC's

Unlike VOC's own masks, these have no border of 255 around the objects.

References:
    Hariharan et al., Semantic Contours from Inverse Detectors, ICCV 2011.
"""

from pathlib import Path

import numpy as np

from wsseg.datasets.mask_ids import ILLEGAL
from wsseg.datasets.mat_files import read_id_map, read_mat
from wsseg.errors import InputError
from wsseg.objects.instances import Instances


def sbd_folder(root: Path) -> Path:
    """Return the folder with `cls` and `inst` in it: `root`, or where the archive has it.

    Raises:
        InputError: There is none.
    """
    for folder in (root, root / "dataset", root / "benchmark_RELEASE" / "dataset"):
        if (folder / "cls").is_dir():
            return folder
    raise InputError(
        f"`sbd`: {root} has no folder cls; give the folder `dataset` of benchmark_RELEASE, with cls and inst in it"
    )


def read_classes(path: Path) -> np.ndarray:
    """Read `cls/ID.mat` as `(H, W)` of VOC's ids.

    Raises:
        InputError: The file is broken or another one; the message names it.
    """
    return read_id_map(_field(path, "GTcls", "Segmentation"), f"GTcls.Segmentation of {path}")


def read_objects(path: Path, table: np.ndarray) -> Instances:
    """Read `inst/ID.mat`.

    Args:
        path: The file.
        table: `(V,) int16`: VOC's ids to the dataset's; objects that become 0 or 255 are left out.

    Raises:
        InputError: The file is broken or another one, or an object has no category; the message names it.
    """
    numbers = read_id_map(_field(path, "GTinst", "Segmentation"), f"GTinst.Segmentation of {path}")
    categories = np.asarray(_field(path, "GTinst", "Categories")).reshape(-1)
    masks, ids = [], []
    for number in np.unique(numbers):
        if number in (0, 255):
            continue
        category = int(categories[number - 1]) if 0 < number <= len(categories) else -1
        if not 0 < category < len(table) or table[category] == ILLEGAL:
            raise InputError(f"{path}: object {number} of GTinst.Segmentation has no category of VOC's 20")
        if 0 < table[category] < 255:
            masks.append(numbers == number)
            ids.append(int(table[category]))
    return Instances.of_masks(np.array(masks, bool).reshape(-1, *numbers.shape), ids)


def trainaug_ids(folder: Path, voc_train: list[str], voc_val: list[str]) -> list[str]:
    """Return the usual augmented training set: VOC's training images and all of SBD's, less VOC's validation images.

    Of the official lists these are 10,582.

    Raises:
        InputError: SBD's lists are not there.
    """
    ids = list(voc_train)
    for name in ("train", "val"):
        try:
            ids += (folder / f"{name}.txt").read_text().split()
        except OSError as error:
            raise InputError(f"`sbd`: {folder / name}.txt cannot be read ({error.strerror})") from error
    left_out = set(voc_val)
    return [name for name in dict.fromkeys(ids) if name not in left_out]


def _field(path: Path, variable: str, field: str) -> object:
    struct = read_mat(path, variable)
    if not hasattr(struct, field):
        raise InputError(f"{path}: `{variable}` is no struct with the field `{field}`; is it SBD's file?")
    return getattr(struct, field)
