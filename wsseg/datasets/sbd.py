"""Files of the Semantic Boundaries Dataset (SBD): masks and objects for more of VOC's images than VOC has masks for.

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
    """Return the folder that contains `cls` and `inst`: `root`, or its subfolder as in the archive.

    Raises:
        InputError: There is no such folder.
    """
    for folder in (root, root / "dataset", root / "benchmark_RELEASE" / "dataset"):
        if (folder / "cls").is_dir():
            return folder
    raise InputError(
        f"`sbd`: {root} has no folder cls; give the folder `dataset` of benchmark_RELEASE, which contains cls and inst"
    )


def read_classes(path: Path) -> np.ndarray:
    """Read `cls/ID.mat` as `(H, W)` in VOC's ids.

    Raises:
        InputError: The file is broken or is not SBD's; the message names it.
    """
    return read_id_map(_field(path, "GTcls", "Segmentation"), f"GTcls.Segmentation of {path}")


def read_objects(path: Path, table: np.ndarray) -> Instances:
    """Read `inst/ID.mat`.

    Args:
        path: The file.
        table: `(V,) int16`: table from VOC's ids to the dataset's ids; objects that become 0 or 255 are left out.

    Raises:
        InputError: The file is broken or is not SBD's, or an object has no category; the message names the file.
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
    """Return the usual augmented training set: VOC's training images and all of SBD's, without VOC's validation images.

    With the official lists these are 10,582 ids.

    Raises:
        InputError: SBD's lists do not exist.
    """
    ids = list(voc_train)
    for name in ("train", "val"):
        try:
            ids += (folder / f"{name}.txt").read_text().split()
        except (OSError, UnicodeDecodeError) as error:
            raise InputError(
                f"`sbd`: {folder / name}.txt cannot be read ({error}); expected one image id per line"
            ) from error
    left_out = set(voc_val)
    return [name for name in dict.fromkeys(ids) if name not in left_out]


def _field(path: Path, variable: str, field: str) -> object:
    struct = read_mat(path, variable)
    if not hasattr(struct, field):
        raise InputError(f"{path}: `{variable}` is not a struct with the field `{field}`; is it SBD's file?")
    return getattr(struct, field)
