"""Score class maps and pseudo-masks, with their oracles. Worker processes run this part of stage 6: NumPy only."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from wsseg.artifacts import ClassMaps, read_mask
from wsseg.datasets import Dataset, Record
from wsseg.file_names import MAPS, MASKS
from wsseg.metrics import ConfusionMatrix
from wsseg.processes import in_processes
from wsseg.recipe import Recipe
from wsseg.refiners import LevelSweep, label_image
from wsseg.stages.label.given_masks import given_ids
from wsseg.stages.label.pseudo_masks import score_levels


def score_row(matrix: ConfusionMatrix, dataset: Dataset, images: int) -> dict[str, Any]:
    """Return a row of `scores.json`: the scores, the split, and the number of images."""
    return {"split": dataset.split, "images": images} | matrix.scores(("background", *dataset.classes))


def score_class_maps(
    recipe: Recipe, train: Dataset, maps: Path, threshold: Mapping[str, Any]
) -> tuple[dict[str, Any], list[tuple[float, float]] | None]:
    """Score a stage's class maps at the chosen level and, for a constant background, at all levels of the curve."""
    config, folder = recipe.label, maps / MAPS
    scored = [record for record in train if record.mask is not None]
    constant = config.background == "constant"
    levels = sorted({*recipe.evaluate.levels, threshold["level"]}) if constant else ()
    chunks = [scored[i::8] for i in range(8)]
    jobs = (
        (_score_maps, config.background, threshold["level"], levels, train, chunk, folder) for chunk in chunks
    )
    matrix, sweep = ConfusionMatrix(len(train.classes) + 1), None
    for part, part_sweep in in_processes(jobs, "scoring class maps", len(chunks), 0, config.workers):
        matrix.merge(part)
        sweep = part_sweep if sweep is None else sweep.merge(part_sweep)
    result = score_row(matrix, train, len(scored))
    result |= {"threshold": threshold["level"], "rule": threshold["rule"], "oracle": None}
    if not constant or not matrix.pixels:
        return result, None
    level, best = sweep.best()
    result["oracle"] = {"threshold": level, "miou": best}
    return result, sweep.curve()


def _score_maps(
    background: str, level: float, levels: tuple, dataset: Dataset, records: list[Record], folder: Path
) -> tuple[ConfusionMatrix, LevelSweep | None]:
    matrix = ConfusionMatrix(len(dataset.classes) + 1)
    sweep = LevelSweep(levels, len(dataset.classes) + 1) if levels else None
    for record in records:
        truth = dataset.read_mask(record)
        maps = ClassMaps.of(folder, record)
        matrix.update(label_image(None, maps, background, level), truth)
        if sweep is not None:
            sweep.update(maps, truth)
    return matrix, sweep


def score_pseudo_masks(
    recipe: Recipe,
    train: Dataset,
    inputs: Mapping[str, Path],
    threshold: Mapping[str, Any],
    images: dict[str, Any],
) -> tuple[dict[str, Any] | None, list[tuple[float, float]]]:
    """Score the pseudo-masks, then make and score them again at the oracle's levels.

    Images whose true mask was given are not scored. The result is None if there are no other images.
    """
    given = given_ids(inputs["label"])
    train = train.subset(record.id for record in train if record.id not in given)
    if not len(train):
        return None, []
    result = score_masks(train, inputs["label"] / MASKS, images.setdefault("pseudo_masks", {}))
    result |= {"threshold": threshold["level"], "rule": threshold["rule"], "oracle": None}
    levels, maps = recipe.evaluate.oracle_levels, inputs["propagate"] / MAPS
    curve = []
    if levels and result["miou"] is not None:
        again = sorted(
            {*levels, threshold["level"]} if recipe.label.unsure else set(levels) - {threshold["level"]}
        )
        curve = score_levels(recipe.label, again, train, maps, "oracle levels", inputs["label"])
        if not recipe.label.unsure:
            curve = sorted([*curve, (threshold["level"], result["miou"])])
        level, best = max(curve, key=lambda point: point[1])
        result["oracle"] = {"threshold": level, "miou": best}
    return result, curve


def score_masks(train: Dataset, folder: Path, rows: dict[str, Any]) -> dict[str, Any]:
    """Score the masks `folder/ID.png` of images whose true mask is known; write each image's own mIoU into `rows`."""
    scored = [record for record in train if record.mask is not None]
    total = ConfusionMatrix(len(train.classes) + 1)
    for record in scored:
        rows[record.id] = add(total, read_mask(folder / f"{record.id}.png"), train.read_mask(record))
    return score_row(total, train, len(scored))


def add(total: ConfusionMatrix, prediction: np.ndarray, truth: np.ndarray) -> float | None:
    """Add one image to `total`; return the image's own mIoU, by which the report sorts images."""
    one = ConfusionMatrix(total.num_classes)
    one.update(prediction, truth)
    total.merge(one)
    miou = float(one.miou())
    return None if np.isnan(miou) else miou
