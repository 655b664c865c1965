"""Stage 4: class maps to pseudo-masks, by a background level chosen honestly and a dense CRF."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from wsseg.artifacts import ClassMaps, read_json, write_json, write_mask
from wsseg.datasets import Dataset, Record
from wsseg.errors import InputError
from wsseg.loading.image_files import read_image
from wsseg.metrics import ConfusionMatrix
from wsseg.recipe import CRFConfig, LabelConfig, Recipe
from wsseg.refiners import DenseCRF
from wsseg.refiners.labelling import label_image
from wsseg.refiners.thresholds import otsu_level
from wsseg.stages import Outcome, data
from wsseg.stages.files import CALIBRATION, MAPS, MASKS, THRESHOLD
from wsseg.stages.processes import in_processes


def run(recipe: Recipe, inputs: Mapping[str, Path], out: Path) -> Outcome:
    """Label every training image; write `masks/ID.png` and `threshold.json`.

    No mask of the training split is read: the records have none. An image without a label becomes all
    background. A file that is there already is kept.
    """
    config = recipe.label
    train, set_aside = data.checked(recipe, recipe.dataset.train, inputs["data"])
    maps = inputs["propagate"] / MAPS
    if not (out / THRESHOLD).exists():
        write_json(out / THRESHOLD, choose_level(recipe, inputs, train))
    threshold = read_json(out / THRESHOLD)
    (out / MASKS).mkdir(exist_ok=True)
    left = [record for record in train if not (out / MASKS / f"{record.id}.png").exists()]
    jobs = (
        (write_pseudo_mask, config, threshold["level"], record, maps, out / MASKS / f"{record.id}.png")
        for record in left
    )
    shares = in_processes(jobs, "pseudo-masks", len(train), len(train) - len(left), processes(config))
    counts = {"images": len(train), "level": threshold["level"], "rule": threshold["rule"]}
    if left and len(shares) == len(train):
        counts["foreground_share"] = round(float(np.mean(shares)), 4)
    line = f"{len(train)} pseudo-masks, background level {threshold['level']:.2f} ({threshold['rule']})"
    return Outcome(line, counts, set_aside)


def dense_crf(config: CRFConfig) -> DenseCRF | None:
    """Return the CRF that an option section describes, or None for none."""
    if config.preset == "none":
        return None
    return DenseCRF.preset(config.preset, iterations=config.iterations, backend=config.backend)


def processes(config: LabelConfig) -> int:
    """Return how many processes make pseudo-masks: this one alone where the CRF is a graph on the GPU."""
    return 1 if config.crf.backend == "keras" else config.workers


def pseudo_mask(
    config: LabelConfig, level: float, image: Path, maps: Path | None, unsure: bool = True
) -> np.ndarray:
    """Make one pseudo-mask.

    Args:
        config: Background form and CRF.
        level: The background level.
        image: The photograph.
        maps: Its class maps, or None where the image has no label.
        unsure: Whether to mark unsure pixels, as the options say.

    Returns:
        `(H, W) uint8`: 0 = background, 1..K, 255 = unsure.
    """
    photograph = read_image(image)
    if maps is None:
        return np.zeros(photograph.shape[:2], np.uint8)
    confident = None
    if unsure and config.unsure:
        # IRN's confident labels: foreground under much background, background under little.
        sign = 1 if config.background == "constant" else -1
        much, little = level + sign * config.unsure, level - sign * config.unsure
        confident = (min(much, 0.99), max(little, 0.01)) if sign > 0 else (max(much, 0.5), little)
    return label_image(
        photograph,
        ClassMaps.load(maps),
        config.background,
        level,
        dense_crf(config.crf),
        config.crf.unary,
        confident=confident,
    )


def write_pseudo_mask(config: LabelConfig, level: float, record: Record, maps: Path, path: Path) -> float:
    """Make and write one pseudo-mask; return its foreground share."""
    mask = pseudo_mask(config, level, record.image, maps / f"{record.id}.npz" if record.labels else None)
    write_mask(path, mask)
    return float(np.mean((mask > 0) & (mask < 255)))


def choose_level(recipe: Recipe, inputs: Mapping[str, Path], train: Dataset) -> dict[str, Any]:
    """Choose the background level by the recipe's rule, without pixel labels of the images that are labelled.

    Returns:
        `level`, `rule`, and what the rule went by.
    """
    rule = recipe.label.threshold
    if rule.rule == "fixed":
        return {"rule": "fixed", "level": rule.level}
    if rule.rule == "otsu":
        folder = inputs["propagate"] / MAPS
        maps = (ClassMaps.load(folder / f"{record.id}.npz") for record in train if record.labels)
        return {"rule": "otsu", "level": float(otsu_level(maps))}
    data.check_calibration(recipe)
    split = data.calibration_split(recipe, inputs["data"], masks=True)
    curve = score_levels(recipe.label, rule.levels, split, inputs["propagate"] / CALIBRATION, "calibrating")
    if not curve:
        raise InputError(
            f"`label.threshold.split`: the masks of `{rule.split}` hold no scored pixel; use another split"
        )
    level, best = max(curve, key=lambda point: point[1])
    return {
        "rule": "calibration",
        "level": level,
        "split": rule.split,
        "images": len(split),
        "miou": best,
        "curve": curve,
    }


def score_levels(
    config: LabelConfig, levels: Sequence[float], dataset: Dataset, maps: Path, text: str
) -> list[tuple[float, float]]:
    """Make pseudo-masks at several background levels, CRF included, and score each level.

    Args:
        config: How pseudo-masks are made.
        levels: Background levels.
        dataset: Images with masks.
        maps: Folder of their class maps.
        text: For the progress display.

    Returns:
        `(level, mIoU)` for each level; nothing where no pixel is scored.
    """
    records = [record for record in dataset if record.mask is not None]
    reader = dataset.subset(())  # a job gets how masks are read, and not every record of the dataset
    jobs = ((_score_image, config, tuple(levels), reader, record, maps) for record in records)
    matrices = in_processes(jobs, text, len(records), 0, processes(config))
    curve = []
    for place, level in enumerate(levels):
        total = ConfusionMatrix(len(dataset.classes) + 1)
        for row in matrices:
            total.merge(row[place])
        if total.pixels:
            curve.append((float(level), float(total.miou())))
    return curve


def _score_image(
    config: LabelConfig, levels: Sequence[float], dataset: Dataset, record: Record, maps: Path
) -> list[ConfusionMatrix]:
    truth, rows = dataset.read_mask(record), []
    path = maps / f"{record.id}.npz" if record.labels else None
    for level in levels:
        matrix = ConfusionMatrix(len(dataset.classes) + 1)
        matrix.update(pseudo_mask(config, level, record.image, path, unsure=False), truth)
        rows.append(matrix)
    return rows
