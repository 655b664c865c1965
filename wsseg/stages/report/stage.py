"""Stage 7: one page that shows the run."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

from wsseg.artifacts import ClassMaps, Manifest, read_json, read_mask
from wsseg.datasets import Dataset, Record
from wsseg.errors import InputError
from wsseg.file_names import (
    CEILING_PREDICTIONS,
    CRF_SEARCH,
    HISTORY,
    IMAGE_SCORES,
    MAPS,
    MASKS,
    PAGE,
    PREDICTIONS,
    SCORES,
    THRESHOLD_CURVE,
)
from wsseg.recipe import Recipe, to_plain
from wsseg.recipe.decisions import fully_supervised
from wsseg.report.figures import ThresholdCurve
from wsseg.report.overlay import overlay, overlay_class_maps
from wsseg.report.page import Curve, Gallery, Page, Row, ScoreRow, StageRow, Tile, write_page
from wsseg.stages import Outcome
from wsseg.stages.evaluate.score_table import format_score
from wsseg.stages.evaluate.scores import SCORES as TITLES
from wsseg.stages.evaluate.scores import share_of_ceiling, shown_scores
from wsseg.stages.label.corrected import corrected_ids
from wsseg.stages.report.objects import object_galleries, object_scores
from wsseg.supervision.splits import Splits
from wsseg.supervision.training_images import describe_supervision, training_data
from wsseg.training.history import read_history


def run(recipe: Recipe, splits: Splits, inputs: Mapping[str, Path], out: Path) -> Outcome:
    """Write `report.html` from the files of the other stages."""
    evaluated = inputs["evaluate"]
    scores = read_json(evaluated / SCORES, dict, ("segmenter", "conventions"))
    images = read_json(evaluated / IMAGE_SCORES, dict)
    if not images and (scores["segmenter"] or scores.get("ceiling")):
        raise InputError(
            f"{evaluated / IMAGE_SCORES} is empty, but {SCORES} has scores; it is damaged: delete both and run again"
        )
    manifests = {name: Manifest.load(folder) for name, folder in inputs.items()}
    train, _ = training_data(splits, inputs, masks=True)
    val, _ = splits.checked(recipe.dataset.val, masks=True)
    rows = [ScoreRow.from_scores(title, row) for title, row in shown_scores(scores).values()]
    histories = (
        ("classify", "classifier"),
        ("segment", "segmenter"),
        ("ceiling", "ceiling"),
        ("detect", "detector"),
        ("detect_ceiling", "detector's ceiling"),
    )
    page = Page(
        title=recipe.name,
        class_names=("background", *train.classes),
        facts=facts(recipe, train, val, manifests),
        stages=[
            StageRow(name, manifest.wall_seconds, manifest.peak_memory_mb, stage_facts(manifest))
            for name, manifest in manifests.items()
        ],
        scores=rows,
        share_of_ceiling=share_of_ceiling(scores),
        objects=object_scores(inputs),
        curves=[
            Curve(title, read_history(inputs[name] / HISTORY)) for name, title in histories if name in inputs
        ],
        thresholds=threshold_curves(evaluated, scores, recipe),
        search=search_trials(inputs),
        galleries=[*galleries(recipe, inputs, train, val, images), *object_galleries(recipe, inputs, val)],
        set_aside=sorted({item for manifest in manifests.values() for item in manifest.set_aside.items()}),
        warnings=warnings_of(manifests),
        notes=list(scores["conventions"].items()),
        recipe=yaml.safe_dump(to_plain(recipe), sort_keys=False),
    )
    write_page(out / PAGE, page)
    size = (out / PAGE).stat().st_size / 2**20
    return Outcome(f"{PAGE}, {size:.1f} MiB", {"bytes": (out / PAGE).stat().st_size})


def warnings_of(manifests: Mapping[str, Manifest]) -> list[tuple[str, str]]:
    """Return `(stage, text)` of each warning; a text of several stages, such as one on the data, appears once."""
    first = {}
    for name, manifest in manifests.items():
        for text in manifest.warnings:
            first.setdefault(text, name)
    return [(name, text) for text, name in first.items()]


def facts(
    recipe: Recipe, train: Dataset, val: Dataset, manifests: Mapping[str, Manifest]
) -> list[tuple[str, str]]:
    """Return a few lines about the run: its dataset, supervision, networks, seed and versions."""
    segment, first = recipe.segment, next(iter(manifests.values()))
    corrected = manifests["label"].counts.get("corrected_masks", 0) if "label" in manifests else 0
    versions = ", ".join(f"{name} {version}" for name, version in first.versions.items())
    chosen = {
        " on ": segment.backbone,
        ", output stride ": segment.output_stride,
    }  # None: the network's default
    network = segment.network + "".join(
        f"{word}{value}" for word, value in chosen.items() if value is not None
    )
    result = [
        ("Dataset", f"{recipe.dataset.name}: {len(train)} {train.split} and {len(val)} {val.split} images"),
        ("Supervision", describe_supervision(recipe, corrected)),
        ("Segmenter", f"{network}, loss {segment.loss}" if segment.network != "none" else "none"),
        ("Seed", str(recipe.seed)),
        ("Versions", versions),
    ]
    if recipe.detect.network != "none":
        result.insert(3, ("Detector", recipe.detect.network))
    if "classify" in manifests:
        value = format_score(manifests["classify"].counts["val_map"])
        result.insert(
            2, ("Classifier", f"{recipe.classify.head} on {recipe.classify.backbone}, val mAP {value}")
        )
    return result


def stage_facts(manifest: Manifest) -> str:
    """Describe in a few words what a stage made."""
    shown = {key: value for key, value in manifest.counts.items() if isinstance(value, (int, float, str))}
    parts = [
        f"{key.replace('_', ' ')} {value:.3f}"
        if isinstance(value, float)
        else f"{key.replace('_', ' ')} {value}"
        for key, value in shown.items()
    ]
    return ", ".join([*parts, "time since it was resumed"] if manifest.resumed else parts)


def threshold_curves(evaluated: Path, scores: Mapping[str, Any], recipe: Recipe) -> list[ThresholdCurve]:
    """Collect the curves of mIoU over the background level, for class maps and pseudo-masks that have one."""
    curves = read_json(evaluated / THRESHOLD_CURVE, dict)
    return [
        ThresholdCurve(
            f"{TITLES[name]}, {scores[name]['split']}",
            [tuple(point) for point in points],
            scores[name]["threshold"],
            scores[name]["rule"],
            scores[name]["miou"],
        )
        for name, points in curves.items()
        if points
    ]


def search_trials(inputs: Mapping[str, Path]) -> list[dict[str, Any]]:
    """Read the trials of the CRF search; the list is empty if there was none."""
    path = inputs["label"] / CRF_SEARCH if "label" in inputs else None
    return read_json(path, list) if path and path.exists() else []


def worst_first(dataset: Dataset, by_image: Mapping[str, float | None], count: int) -> list[Record]:
    """Select images: half are the worst, the others are spread evenly over the ranks, to show successes too."""
    ranked = sorted((r for r in dataset if by_image.get(r.id) is not None), key=lambda r: by_image[r.id])
    if len(ranked) <= count:
        return ranked or list(dataset)[:count]
    worst, rest = ranked[: count // 2], ranked[count // 2 :]
    wanted = count - len(worst)
    return worst + [rest[round(i * (len(rest) - 1) / max(wanted - 1, 1))] for i in range(wanted)]


def galleries(
    recipe: Recipe,
    inputs: Mapping[str, Path],
    train: Dataset,
    val: Dataset,
    images: Mapping[str, Mapping[str, float | None]],
) -> list[Gallery]:
    """Show training images with maps and pseudo-masks, and validation images with predictions."""
    result = []
    count = recipe.report.images
    note = "Half are the worst images of the split by their own mIoU; the others are spread evenly over the ranks."
    if "propagate" in inputs:
        scores = images.get("pseudo_masks", {})
        rows = [_train_row(record, train, inputs, scores) for record in worst_first(train, scores, count)]
        columns = ("image", "class maps", "pseudo-mask", "true mask")
        result.append(Gallery("Training images", columns, rows, note))
    folders = [
        (title, inputs["evaluate"] / folder, images.get(key, {}))
        for title, folder, key in (
            ("prediction", PREDICTIONS, "ceiling" if fully_supervised(recipe) else "segmenter"),
            ("ceiling", CEILING_PREDICTIONS, "ceiling"),
        )
        if (inputs["evaluate"] / folder).is_dir()
    ]
    if folders:
        rows = [_val_row(record, val, folders) for record in worst_first(val, folders[0][2], count)]
        columns = ("image", *(title for title, _, _ in folders), "true mask")
        result.append(Gallery("Validation images", columns, rows, note))
    return result


def _train_row(record: Record, train: Dataset, inputs: Mapping[str, Path], scores: Mapping[str, Any]) -> Row:
    image = train.read_image(record)
    maps = None
    if record.labels:
        maps = overlay_class_maps(image, ClassMaps.load(inputs["propagate"] / MAPS / f"{record.id}.npz"))
    mask = read_mask(inputs["label"] / MASKS / f"{record.id}.png")
    score = scores.get(record.id)
    tiles = (Tile(image), Tile(maps), Tile(overlay(image, mask), score), _truth(record, train, image))
    by_hand = " (corrected mask)" if record.id in corrected_ids(inputs["label"]) else ""
    return Row(record.id + by_hand, record.labels, tiles, score)


def _val_row(record: Record, val: Dataset, folders: Sequence[tuple[str, Path, Mapping[str, Any]]]) -> Row:
    image = val.read_image(record)
    tiles = [Tile(image)]
    for _, folder, scores in folders:
        tiles.append(Tile(overlay(image, read_mask(folder / f"{record.id}.png")), scores.get(record.id)))
    tiles.append(_truth(record, val, image))
    return Row(record.id, record.labels, tiles, folders[0][2].get(record.id))


def _truth(record: Record, dataset: Dataset, image) -> Tile:
    return Tile(overlay(image, dataset.read_mask(record)) if record.mask is not None else None)
