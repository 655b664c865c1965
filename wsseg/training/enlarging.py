"""The factor by which images are enlarged in training, so that a segmenter sees the objects of the smallest class."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from skimage import measure

from wsseg.artifacts import IGNORE, read_json, write_json
from wsseg.datasets import Dataset, Record
from wsseg.errors import InputError
from wsseg.file_names import ENLARGED
from wsseg.recipe import SegmentConfig
from wsseg.recipe.auto import AUTO
from wsseg.remembered import remembered

WANTED = 24.0
"""Side that the objects of each class should have in a training crop, in pixels: 6 cells of a decoder of stride 4."""

LARGEST = 2.0
"""Largest factor of `auto`: four times the pixels."""

MEASURED_MASKS = 1000
"""Number of masks that are measured, evenly spaced."""


def object_sides(
    masks: Sequence[np.ndarray], num_classes: int, scale: Callable[[np.ndarray], float]
) -> dict[int, float]:
    """Measure the objects of each class.

    The side of an object is the root of its area. Of each class and mask the largest connected region is taken, so that
    crumbs of a pseudo-mask don't count; of a class the median over the masks.

    Args:
        masks: `(H, W) uint8` each: 0 = background, 1..K, 255 = unsure.
        num_classes: Number of classes K, without the background.
        scale: Function that returns the factor by which a mask is scaled in training.

    Returns:
        Class id -> side in pixels of a training crop, for the classes that some mask has.

    Example:
        >>> mask = np.zeros((20, 20), np.uint8)
        >>> mask[2:6, 3:12], mask[10, 10] = 2, 2
        >>> object_sides([mask], 3, lambda mask: 1.5)
        {2: 9.0}
    """
    found: dict[int, list[float]] = {k: [] for k in range(1, num_classes + 1)}
    for mask in masks:
        known = np.where(mask == IGNORE, 0, mask)
        regions = measure.regionprops(measure.label(known, connectivity=2))
        largest: dict[int, float] = {}
        for region in regions:
            y, x = region.coords[0]
            largest[int(known[y, x])] = max(largest.get(int(known[y, x]), 0.0), float(region.area))
        for k, area in largest.items():
            found[k].append(float(np.sqrt(area)) * scale(mask))
    return {k: float(np.median(sides)) for k, sides in found.items() if sides}


def factor_for(sides: Mapping[int, float]) -> float:
    """Return the factor, from 1 to `LARGEST`, that gives the smallest class's objects the side `WANTED`.

    Example:
        >>> factor_for({1: 60.0, 2: 16.0}), factor_for({1: 60.0}), factor_for({2: 3.0}), factor_for({})
        (1.5, 1.0, 2.0, 1.0)
    """
    return round(float(np.clip(WANTED / min(sides.values(), default=WANTED), 1.0, LARGEST)), 2)


def with_enlarging(
    config: SegmentConfig,
    train: Dataset,
    read_mask: Callable[[Record], np.ndarray | None],
    folder: Path,
) -> SegmentConfig:
    """Return the section with sizes that are enlarged as `segment.enlarge` says.

    The factor of `auto` is found once and kept in `folder`.

    Args:
        config: The section.
        train: Training images.
        read_mask: Function that returns the mask that an image is trained on, or None.
        folder: Folder of the segmenter.
    """
    if config.enlarge == AUTO and not remembered(folder / ENLARGED, dict, lambda known: known["factor"] > 0):

        def scale(mask: np.ndarray) -> float:
            return float(np.mean(config.scale if config.scale else config.long_side)) / (
                1 if config.scale else max(mask.shape)
            )

        some = np.linspace(0, len(train) - 1, min(len(train), MEASURED_MASKS)).round().astype(int)
        masks = (read_mask(train[int(index)]) for index in some)
        sides = object_sides([mask for mask in masks if mask is not None], len(train.classes), scale)
        named = {train.classes[k - 1]: round(side, 1) for k, side in sides.items()}
        write_json(folder / ENLARGED, {"factor": factor_for(sides), "object_sides": named})
    factor = factor_in(folder, config)
    if factor == 1:
        return config
    scaled = {"long_side": tuple(round(side * factor) for side in config.long_side)}
    if config.scale:
        scaled["scale"] = tuple(end * factor for end in config.scale)
    return replace(config, **scaled)


def factor_in(folder: Path, config: SegmentConfig) -> float:
    """Return the factor of a trained segmenter.

    Args:
        folder: Folder of the segmenter.
        config: The section that it was trained with.

    Raises:
        InputError: The file of the factor is missing or damaged.
    """
    if config.enlarge != AUTO:
        return config.enlarge
    factor = read_json(folder / ENLARGED, dict, ("factor",))["factor"]
    if not isinstance(factor, int | float) or not 0 < factor < 1e6:
        raise InputError(
            f"{folder / ENLARGED}: `factor` is {str(factor)[:40]!r}; delete the file and run again"
        )
    return float(factor)
