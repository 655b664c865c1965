"""Random walk of class maps over the affinities that a network predicts for each image."""

from collections.abc import Sequence
from pathlib import Path

import keras
import numpy as np

from wsseg.affinity.cells import grid_of
from wsseg.affinity.instances import cluster, parted
from wsseg.artifacts import ClassMaps, unfinished
from wsseg.datasets import Dataset, Record
from wsseg.interpolation import on_even_cells
from wsseg.loading.padded_batches import padded_batches
from wsseg.one_trace import one_trace
from wsseg.progress import bar
from wsseg.recipe import PropagateConfig
from wsseg.refiners.random_walk import RandomWalk
from wsseg.refiners.resize_maps import resize_maps


def walk_dataset(
    config: PropagateConfig,
    model: keras.Model,
    dataset: Dataset,
    records: Sequence[Record],
    maps: Path,
    folder: Path,
    instances: Path | None = None,
    batch_size: int = 4,
) -> None:
    """Write the walked maps of images that have none yet.

    Args:
        config: Options of the walk.
        model: Affinity network.
        dataset: Dataset that reads the images.
        records: Images with class maps.
        maps: Folder of the class maps.
        folder: Folder where the walked maps are written.
        instances: Folder where a map of each instance is written; None for none.
        batch_size: Number of images per batch of the network.
    """
    folder.mkdir(exist_ok=True)
    if instances:
        instances.mkdir(exist_ok=True)
    left = unfinished(records, folder, ".npz")
    grid, network = grid_of(model, config.method), one_trace(model)
    with bar("random walks", len(records), done=len(records) - len(left)) as advance:
        for batch in padded_batches(dataset, left, batch_size):
            seen = network(batch.images).numpy()
            for record, size_hw, found in zip(batch.records, batch.sizes_hw, seen):
                given = ClassMaps.load(maps / f"{record.id}.npz")
                at_cells = on_even_cells(found, grid, size_hw)
                walked = walk(config, given.maps, at_cells)
                if instances:
                    whose, each = walked_instances(config, given.maps, at_cells)
                    ids = given.class_ids[whose]
                    ClassMaps(ids, each, given.size_hw).save(instances / f"{record.id}.npz")
                ClassMaps(given.class_ids, walked, given.size_hw).save(folder / f"{record.id}.npz")
                advance()


def walk(
    config: PropagateConfig, maps: np.ndarray, seen: np.ndarray, whose: np.ndarray | None = None
) -> np.ndarray:
    """Run the random walk, and divide each map by its largest value, as for the class maps.

    IRN's public code divides by the largest value of all classes. Where two classes touch, the class that the walk has
    spread less then wins, which costs 0.02 to 0.05 of mIoU on the scenes.

    Args:
        config: Options of the walk.
        maps: `(C, h, w)` in [0, 1].
        seen: `(h', w', C')`: Output of the affinity network for the image.
        whose: `(C,)` int: Group of each map; maps of one group are divided by the group's largest value. None for one
            group per map.

    Returns:
        `(C, h', w')` float32 in [0, 1].
    """
    spread = RandomWalk(config.beta, config.steps, config.radius)
    maps = np.moveaxis(resize_maps(maps, seen.shape[:2]), 0, -1)
    if config.method == "irn":
        boundary = boundary_of(seen)
        walked = spread(maps * (1 - boundary[..., None]), boundary)
    else:
        walked = spread.over_features(maps, seen)
    largest = walked.max(axis=(0, 1))
    if whose is not None:
        largest = np.array([largest[whose == one].max() for one in whose])
    return np.moveaxis(walked / np.maximum(largest, 1e-12), -1, 0)


def walked_instances(
    config: PropagateConfig, maps: np.ndarray, seen: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Divide the class maps into instances by IRNet's displacements, and run the random walk for each instance.

    Args:
        config: Options of the walk.
        maps: `(C, h, w)` in [0, 1].
        seen: `(h', w', 3)`: Logit of the boundary, and the displacements down and right, cells.

    Returns:
        `(N,)` int, the index of the class map of each instance; and the instances' maps, `(N, h', w')` float32 in
        [0, 1]. The largest value over a class's instances is 1. If each instance were divided by its own largest value,
        weak responses in the background would be as strong as objects: AP50 was 0.75 instead of 0.81 on 160 of the
        scenes' training images.
    """
    maps = resize_maps(maps, seen.shape[:2])
    whose, parts = parted(maps, cluster(seen[..., 1:]))
    return whose, walk(config, parts, seen, whose) if len(parts) else parts


def boundary_of(seen: np.ndarray) -> np.ndarray:
    """Return the strength of the class boundary, `(h, w)` in [0, 1], from IRNet's output."""
    return 1 / (1 + np.exp(-seen[..., 0]))
