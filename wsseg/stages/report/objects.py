"""The report's part about detectors: scores, curves, and the images with the most errors."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np

from wsseg.artifacts import read_json
from wsseg.datasets import Dataset
from wsseg.file_names import CEILING_DETECTIONS, DETECTIONS, INSTANCE_SCORES
from wsseg.metrics import find_misses, worst_images
from wsseg.objects.instance_files import read_instances
from wsseg.recipe import Recipe
from wsseg.report.instance_gallery import ShownImage, instance_gallery
from wsseg.report.page import Gallery, ObjectScores

NAMES = {
    "pseudo_instances": "pseudo-instances",
    "detector": "detector",
    "ceiling": "ceiling (true instances)",
}
"""Key in `instance_scores.json` -> title."""


def object_scores(inputs: Mapping[str, Path]) -> list[ObjectScores]:
    """Read the scores in `6_evaluate_detectors`, if the run has that stage."""
    if "evaluate_detectors" not in inputs:
        return []
    found = []
    for key, row in read_json(inputs["evaluate_detectors"] / INSTANCE_SCORES, dict).items():
        for kind in ("masks", "boxes"):
            if kind in row:
                scores = dict(row[kind])
                curves = {
                    name: None if curve is None else np.array(curve)
                    for name, curve in scores.pop("precision_at_recalls").items()
                }
                found.append(ObjectScores(f"{NAMES[key]}: {kind}, {row['split']}", scores, curves))
    return found


def object_galleries(recipe: Recipe, inputs: Mapping[str, Path], val: Dataset) -> list[Gallery]:
    """Show the validation images with the most missed objects and false alarms, for the detector and its ceiling."""
    if "evaluate_detectors" not in inputs:
        return []
    kind = "masks" if recipe.detect.network == "mask_rcnn" else "boxes"
    found = []
    known = [record for record in val if record.instances is not None]
    for title, folder in (("Detector", DETECTIONS), ("Detector's ceiling", CEILING_DETECTIONS)):
        folder = inputs["evaluate_detectors"] / folder
        if not folder.is_dir():
            continue
        predicted = {record.id: read_instances(folder / f"{record.id}.json") for record in val}
        misses = {
            record.id: find_misses(predicted[record.id], val.read_instances(record), kind) for record in known
        }
        records = {record.id: record for record in val}
        worst = worst_images(misses, recipe.report.images) if known else list(records)[: recipe.report.images]
        shown = [
            ShownImage(
                name,
                val.read_image(records[name]),
                predicted[name],
                val.read_instances(records[name]) if known else None,
            )
            for name in worst
        ]
        note = "The images with the most errors." if known else "The first images."
        found.append(instance_gallery(f"{title}, {val.split} images", shown, val.classes, kind, note=note))
    return found
