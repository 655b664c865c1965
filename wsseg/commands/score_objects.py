"""Score detections from any source against the objects of a COCO annotation file."""

import json
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from wsseg.errors import InputError
from wsseg.metrics import InstanceAveragePrecision
from wsseg.objects.coco_results import read_folder, read_results
from wsseg.objects.coco_truth import read_truth
from wsseg.progress import bar


def score_instances(predictions: Path | None, truth: Path, classes: Sequence[str] | None = None) -> dict:
    """Score detections by COCO's measures and print the scores as JSON.

    Args:
        predictions: File in COCO's results format, or folder with a file of `wsseg.objects.instance_files` for each
            image. An image of the truth that is missing in it counts as an image without detections.
        truth: COCO annotation file.
        classes: Must be None, because the annotation file names the classes.

    Returns:
        `images`, `images_not_in_predictions`, `objects`, `crowds`, `detections`; `detections_set_aside`,
        `annotations_left_out`, `annotations_without_outline_or_box` and `annotations_read_otherwise`, each if there
        are any; `boxes`, and `masks` if both sides have them: COCO's twelve scores and `by_class`, see
        `InstanceAveragePrecision`.

    Raises:
        InputError: A file is broken or does not fit the other; the message names the file and the entry.
    """
    if predictions is None or classes:
        raise InputError(
            f"--truth {truth} needs --predictions (a COCO results file, or a folder) and names the classes itself; "
            "remove --classes"
        )
    true = read_truth(truth)
    found = read_folder(predictions, true) if predictions.is_dir() else read_results(predictions, true)
    names = list(true.index.categories.values())
    kinds = ["boxes", "masks"] if true.index.segmented and found.masks in (True, None) else ["boxes"]
    measures = {kind: InstanceAveragePrecision(names, kind) for kind in kinds}
    with bar("scoring", len(true.index.images)) as advance:
        for image_id in true.index.images:
            boxes, masks, areas = true.instances(image_id)
            detections = found.instances(image_id)
            for kind, measure in measures.items():
                measure.update(
                    str(image_id),
                    detections,
                    boxes if kind == "boxes" else masks,
                    areas,
                    found.areas(detections),
                )
            advance()
    results = {kind: measure.result() for kind, measure in measures.items()}
    if found.set_aside and not results["boxes"]["detections"]:
        at, why = next(iter(found.set_aside.items()))
        raise InputError(f"no detection of {predictions} can be used; the first, {at}: {why}")
    shared = ("objects", "crowds", "detections")
    scores = {"images": len(true.index.images), "images_not_in_predictions": len(found.absent)}
    scores |= {name: results["boxes"][name] for name in shared}
    for what, reasons in (
        ("detections_set_aside", found.set_aside),
        ("annotations_left_out", true.index.left_out),
        ("annotations_without_outline_or_box", true.index.ignored),
        ("annotations_read_otherwise", true.index.remarks),
    ):
        if reasons:
            scores[what] = len(reasons)
            first, why = next(iter(reasons.items()))
            print(
                f"note: {what.replace('_', ' ')}: {len(reasons)}; the first: {first}: {why}", file=sys.stderr
            )
    scores |= {
        kind: {name: value for name, value in result.items() if name not in (*shared, "kind", "images")}
        for kind, result in results.items()
    }
    print(as_text(scores))
    return scores


def as_text(scores: Mapping[str, Any], indent: str = "") -> str:
    """Return scores as readable JSON: four decimals, one line per class.

    Example:
        >>> print(as_text({"boxes": {"ap": 1 / 3, "by_class": {"cat": {"ap": 0.5, "objects": 2}}}}))
        {
          "boxes": {
            "ap": 0.3333,
            "by_class": {
              "cat": {"ap": 0.5, "objects": 2}
            }
          }
        }
    """
    if len(indent) > 4:
        return json.dumps({name: _rounded(value) for name, value in scores.items()})
    inner = indent + "  "
    lines = [
        f"{inner}{json.dumps(name)}: "
        + (as_text(value, inner) if isinstance(value, Mapping) else json.dumps(_rounded(value)))
        for name, value in scores.items()
    ]
    return "{\n" + ",\n".join(lines) + f"\n{indent}}}"


def _rounded(value: Any) -> Any:
    return round(value, 4) if isinstance(value, float) else value
