"""Stage 6 for instances: score pseudo-instances on the training split, the detector on the validation split."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from wsseg.artifacts import unfinished, write_json
from wsseg.datasets import Dataset, Record
from wsseg.detectors.inference import detect
from wsseg.errors import InputError
from wsseg.file_names import CEILING_DETECTIONS, DETECTIONS, DETECTOR, INSTANCE_SCORES, INSTANCES
from wsseg.metrics import InstanceAveragePrecision
from wsseg.objects.instance_files import read_instances, write_instances
from wsseg.objects.instances import Instances
from wsseg.progress import bar
from wsseg.recipe import Recipe
from wsseg.saved_models import load_model
from wsseg.stages import Outcome
from wsseg.supervision.splits import Splits
from wsseg.training.device import prepare


def run(recipe: Recipe, splits: Splits, inputs: Mapping[str, Path], out: Path) -> Outcome:
    """Score instances by COCO's rules; write `instance_scores.json` and `detections/ID.json`.

    The content of `instance_scores.json` is `{"pseudo_instances" | "detector" | "ceiling": {"split", "images", "masks":
    ..., "boxes": ...}}`. `masks` and `boxes` are in the form of `InstanceAveragePrecision.result`, with the curves of
    precision over recall. A Faster R-CNN has no masks.
    """
    train, set_aside = splits.checked(recipe.dataset.train, masks=True)
    val, val_set_aside = splits.checked(recipe.dataset.val, masks=True)
    scores: dict[str, Any] = {}
    folder = inputs["label"] / INSTANCES
    if score := scored(
        train, lambda record: read_instances(folder / f"{record.id}.json"), ("masks", "boxes")
    ):
        scores["pseudo_instances"] = score
    kinds = ("masks", "boxes") if recipe.detect.network == "mask_rcnn" else ("boxes",)
    for name, stage, subfolder in (
        ("detector", "detect", DETECTIONS),
        ("ceiling", "detect_ceiling", CEILING_DETECTIONS),
    ):
        if stage not in inputs:
            continue
        found = out / subfolder
        write_detections(recipe, val, inputs[stage] / DETECTOR, found, name)
        if score := scored(val, lambda record: read_instances(found / f"{record.id}.json"), kinds):  # noqa: B023
            scores[name] = score
    write_json(out / INSTANCE_SCORES, scores)
    return Outcome(summary(scores, kinds[0]), counts(scores, kinds[0]), set_aside | val_set_aside)


def scored(
    dataset: Dataset, predicted: Callable[[Record], Instances], kinds: tuple[str, ...]
) -> dict[str, Any] | None:
    """Score the predictions for the images whose true objects are known; return None if there are no such images."""
    known = [record for record in dataset if record.instances is not None]
    if not known:
        return None
    totals = {kind: InstanceAveragePrecision(dataset.classes, kind) for kind in kinds}
    for record in known:
        found, true = predicted(record), dataset.read_instances(record)
        for total in totals.values():
            total.update(record.id, found, true)
    results: dict[str, Any] = {"split": dataset.split, "images": len(known)}
    for kind, total in totals.items():
        curves = {
            name: None if curve is None else [round(float(value), 4) for value in curve]
            for name, curve in total.precision_at_recalls().items()
        }
        results[kind] = total.result() | {"precision_at_recalls": curves}
    return results


def write_detections(recipe: Recipe, val: Dataset, model: Path, folder: Path, name: str) -> None:
    """Run the detector on the validation images that have no file in `folder` yet."""
    folder.mkdir(exist_ok=True)
    left = unfinished(val, folder, ".json")
    if not left:
        return
    prepare(recipe)
    network = load_model(model)
    if network.num_classes != len(val.classes) + 1:
        raise InputError(
            f"{model} predicts {network.num_classes} classes; the dataset has {len(val.classes) + 1}"
        )
    if recipe.detect.size not in (None, recipe.detect.crop):
        network = network.at_size((recipe.detect.size, recipe.detect.size))
    with bar(f"detecting ({name})", len(val), done=len(val) - len(left)) as advance:
        images = (val.read_image(record) for record in left)
        for record, found in zip(left, detect(network, images), strict=True):
            write_instances(folder / f"{record.id}.json", found, record.id, val.classes)
            advance()


def counts(scores: Mapping[str, Any], kind: str) -> dict[str, Any]:
    """Return the AP at an overlap of 0.5 for each row of scores, for the manifest."""
    return {f"{name}_ap50": row[kind if kind in row else "boxes"]["ap50"] for name, row in scores.items()}


def summary(scores: Mapping[str, Any], kind: str) -> str:
    """Return the scores in one line, with the detector's share of its ceiling."""
    parts = [
        f"{name.removesuffix('_ap50').replace('_', ' ')} {value:.3f}"
        for name, value in counts(scores, kind).items()
        if value is not None
    ]
    weak, full = (scores.get(name, {}).get(kind, {}).get("ap50") for name in ("detector", "ceiling"))
    if weak is not None and full:
        parts.append(f"detector / ceiling {weak / full:.2f}")
    return (
        f"AP50 of {kind}: " + ", ".join(parts)
        if parts
        else "no split has instances, so nothing could be scored"
    )
