"""Stage 4: class maps to pseudo-masks, by a background level chosen honestly and a dense CRF."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from wsseg.artifacts import ClassMaps, read_json, write_json
from wsseg.datasets import Dataset
from wsseg.errors import InputError
from wsseg.file_names import CALIBRATION, INSTANCES, MAPS, MASKS, THRESHOLD
from wsseg.processes import in_processes
from wsseg.recipe import LabelConfig, Recipe
from wsseg.refiners.thresholds import otsu_level
from wsseg.stages import Outcome
from wsseg.stages.label import pseudo_instances
from wsseg.stages.label.annotations import annotation_of, write_annotations
from wsseg.stages.label.crf_search import search_crf
from wsseg.stages.label.given_masks import write_given_masks
from wsseg.stages.label.pseudo_masks import processes, score_levels, with_crf, write_pseudo_mask
from wsseg.supervision import splits
from wsseg.supervision import training_images as supervision


def run(recipe: Recipe, inputs: Mapping[str, Path], out: Path) -> Outcome:
    """Label every training image; write `masks/ID.png`, `threshold.json` and, of instance maps, `instances/ID.json`.

    No mask of the training split is read: the records have none. (The section `supervision` may have masks given, which
    `given_masks` copies, or annotations simulated, which `annotations` does.) An image without a label becomes all
    background. A file that is there already is kept.
    """
    config = recipe.label
    train, set_aside = supervision.training_data(recipe, inputs)
    (out / MASKS).mkdir(exist_ok=True)
    given, reasons = write_given_masks(recipe, train, out)
    set_aside = set_aside | reasons
    if "propagate" not in inputs:
        return Outcome(f"{len(given)} true masks, no pseudo-masks", {"given_masks": len(given)}, set_aside)
    maps = inputs["propagate"] / MAPS
    if not (out / THRESHOLD).exists():
        write_json(out / THRESHOLD, choose(recipe, inputs, train, out))
    threshold = read_json(out / THRESHOLD)
    config = chosen(config, threshold)
    counts = {"images": len(train), "level": threshold["level"], "rule": threshold["rule"]}
    counts |= {"given_masks": len(given)} if given else {}
    if recipe.supervision.annotations != "labels":
        rest = train.subset(record.id for record in train if record.id not in given)
        counts["annotated"], reasons = write_annotations(recipe, rest, out)
        set_aside = set_aside | reasons
    left = [record for record in train if not (out / MASKS / f"{record.id}.png").exists()]
    jobs = (
        (
            write_pseudo_mask,
            config,
            threshold["level"],
            record,
            maps,
            out / MASKS / f"{record.id}.png",
            annotation_of(out, record),
        )
        for record in left
    )
    shares = in_processes(jobs, "pseudo-masks", len(train), len(train) - len(left), processes(config))
    if left and len(shares) == len(train):
        counts["foreground_share"] = round(float(np.mean(shares)), 4)
    if (inputs["propagate"] / INSTANCES).is_dir():
        counts["instances"] = pseudo_instances.write_all(config, threshold["level"], train, inputs, out)
    line = f"{len(train) - len(given)} pseudo-masks, background level {threshold['level']:.2f} ({threshold['rule']})"
    if "crf" in threshold:
        line += ", CRF " + ", ".join(f"{name} {value:g}" for name, value in threshold["crf"].items())
    line += f", {len(given)} true masks" if given else ""
    if "annotated" in counts:
        line += f", {recipe.supervision.annotations} in {counts['annotated']} images"
    return Outcome(line, counts, set_aside)


def choose(recipe: Recipe, inputs: Mapping[str, Path], train: Dataset, out: Path) -> dict[str, Any]:
    """Choose the background level, and where the recipe says so the CRF's parameters and the level again with these."""
    threshold = choose_level(recipe, inputs, train)
    if not recipe.label.crf_search.rounds:
        return threshold
    split = splits.calibration_split(recipe, inputs["data"], masks=True)
    maps = inputs["propagate"] / CALIBRATION
    parameters = search_crf(recipe.label, threshold["level"], split, maps, out)
    again = replace(recipe, label=with_crf(recipe.label, parameters))
    return choose_level(again, inputs, train) | {"crf": parameters}


def chosen(config: LabelConfig, threshold: Mapping[str, Any]) -> LabelConfig:
    """Return the options with the CRF's parameters that `threshold.json` states, if any."""
    return with_crf(config, threshold["crf"]) if "crf" in threshold else config


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
    splits.check_calibration(recipe)
    split = splits.calibration_split(recipe, inputs["data"], masks=True)
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
