"""Make pseudo-instances from instance maps: objects of an image for which only labels are known."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np
from skimage.measure import label

from wsseg.artifacts import ClassMaps, unfinished
from wsseg.datasets import Dataset, Record
from wsseg.file_names import INSTANCES
from wsseg.image_files import read_image
from wsseg.objects.instance_files import write_instances
from wsseg.objects.instances import Instances
from wsseg.processes import in_processes
from wsseg.recipe import LabelConfig
from wsseg.refiners.labelling import label_image
from wsseg.stages.crf import dense_crf, worker_count


def write_all(
    config: LabelConfig, level: float, train: Dataset, inputs: Mapping[str, Path], out: Path
) -> int:
    """Write `instances/ID.json` for the training images that have none yet.

    Returns:
        Number of instances that were written.
    """
    folder, maps = out / INSTANCES, inputs["propagate"] / INSTANCES
    folder.mkdir(exist_ok=True)
    left = unfinished(train, folder, ".json")
    jobs = (
        (_write, config, level, record, train.classes, maps, folder / f"{record.id}.json") for record in left
    )
    workers = worker_count(config, (record.image for record in left))
    return sum(in_processes(jobs, "pseudo-instances", len(train), len(train) - len(left), workers))


def _write(
    config: LabelConfig, level: float, record: Record, classes: tuple[str, ...], maps: Path, path: Path
) -> int:
    found = pseudo_instances(config, level, record, maps)
    write_instances(path, found, record.id, classes)
    return len(found)


def pseudo_instances(config: LabelConfig, level: float, record: Record, maps: Path) -> Instances:
    """Label an image by instance instead of by class, CRF included.

    Every pixel is assigned to the instance with the highest map, or to the background, in the same way as pseudo-masks
    are made from class maps. An instance without pixels is dropped.

    Args:
        config: Options: form of the background, and CRF.
        level: Background level, as chosen for the pseudo-masks.
        record: Record of the image, with its labels.
        maps: Folder of instance maps.

    Returns:
        The instances. The score of an instance is the mean of its map inside its mask.

    References:
        Ahn et al., CVPR 2019, section 3.4. There, the score is the map's maximum, and no CRF is used.
    """
    given = ClassMaps.of(maps, record)
    none = np.zeros((0, *given.size_hw), bool)
    if not len(given.class_ids):
        return Instances.of_masks(none, [], scores=np.zeros(0))
    numbers = np.arange(1, len(given.class_ids) + 1)
    labels = label_image(
        read_image(record.image),
        replace(given, class_ids=numbers),
        config.background,
        level,
        dense_crf(config.crf),
        config.crf.unary,
    )
    there = [number for number in numbers if (labels == number).any()]
    masks = np.array([without_crumbs(labels == number) for number in there], bool).reshape(
        -1, *none.shape[1:]
    )
    scores = [_mean_inside(given.maps[number - 1], mask) for number, mask in zip(there, masks)]
    return Instances.of_masks(masks, [given.class_ids[number - 1] for number in there], np.array(scores))


def without_crumbs(mask: np.ndarray, least: float = 0.1) -> np.ndarray:
    """Drop the parts of a mask that are much smaller than its largest part: a few stray pixels would enlarge the box.

    Args:
        mask: `(H, W) bool`.
        least: Minimum area of a part, as a share of the largest part's area. Larger parts are kept, because something
            in front of an object may divide it.

    Example:
        >>> without_crumbs(np.array([[1, 1, 1, 0, 1]], bool), least=0.5).astype(int).tolist()
        [[1, 1, 1, 0, 0]]
    """
    pieces = label(mask, connectivity=2)
    sizes = np.bincount(pieces.ravel())
    sizes[0] = 0
    return (sizes >= least * sizes.max())[pieces] & mask


def _mean_inside(one: np.ndarray, mask: np.ndarray) -> float:
    """Return the mean of a coarse map over the pixels of a mask, each with the value of its cell."""
    rows = np.arange(mask.shape[0]) * one.shape[0] // mask.shape[0]
    columns = np.arange(mask.shape[1]) * one.shape[1] // mask.shape[1]
    return float(one[np.ix_(rows, columns)][mask].mean())
