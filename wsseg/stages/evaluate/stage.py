"""Stage 6: score class maps and pseudo-masks on the training split, the segmenter on the validation split."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from wsseg.artifacts import read_json, read_mask, unfinished, write_json, write_mask
from wsseg.datasets import Dataset
from wsseg.errors import InputError
from wsseg.file_names import (
    CEILING_PREDICTIONS,
    IMAGE_SCORES,
    MASKS,
    PREDICTIONS,
    SCORES,
    SEGMENTER,
    THRESHOLD,
    THRESHOLD_CURVE,
)
from wsseg.metrics import ConfusionMatrix
from wsseg.progress import bar
from wsseg.recipe import Recipe
from wsseg.recipe.decisions import fully_supervised, keeps_best
from wsseg.saved_models import load_model
from wsseg.segmenters.inference import Predictor
from wsseg.stages import Outcome
from wsseg.stages.crf import dense_crf
from wsseg.stages.evaluate.score_labels import (
    add,
    score_class_maps,
    score_masks,
    score_pseudo_masks,
    score_row,
)
from wsseg.stages.evaluate.scores import SCORES as TITLES
from wsseg.stages.evaluate.scores import share_of_ceiling
from wsseg.stages.label.background_level import choose_level, describe_level, with_searched_crf
from wsseg.stages.label.corrected import corrected_ids
from wsseg.stages.label.given_masks import given_ids
from wsseg.stages.warning_signs import EmptyPredictions, contradicted_labels, unscored_classes
from wsseg.supervision.splits import Splits
from wsseg.supervision.training_images import describe_supervision, training_data
from wsseg.training.device import prepare


def run(recipe: Recipe, splits: Splits, inputs: Mapping[str, Path], out: Path) -> Outcome:
    """Score all results; write `scores.json`, `images.json`, `threshold_curve.json` and `predictions/ID.png`.

    This stage opens the training split's masks to score class maps and pseudo-masks. The oracle level, which is the
    best level on these masks, is shown beside the level that the rule chose. Nothing else uses the oracle.
    """
    train, set_aside = training_data(splits, inputs, masks=True)
    val, val_set_aside = splits.checked(recipe.dataset.val, masks=True)
    scores: dict[str, Any] = dict.fromkeys(TITLES)
    images: dict[str, Any] = {}
    curve: dict[str, Any] = {}
    counts: dict[str, Any] = {}
    warnings: tuple[str, ...] = ()
    if "propagate" in inputs:  # otherwise there are only true masks
        threshold = read_json(inputs["label"] / THRESHOLD, dict, ("level", "rule"))
        recipe = replace(recipe, label=with_searched_crf(recipe.label, threshold))
        if any(record.mask is not None for record in train):
            final = "class_maps"
            if (
                "localize" in inputs
            ):  # a walk changed the maps: the maps of each stage are scored at the level that the rule gives them
                final = "walked_maps"
                level = choose_level(recipe, splits, inputs["localize"], train)
                scores["class_maps"], curve["class_maps"] = score_class_maps(
                    recipe, train, inputs["localize"], level
                )
            scores[final], curve[final] = score_class_maps(recipe, train, inputs["propagate"], threshold)
            scores["pseudo_masks"], curve["pseudo_masks"] = score_pseudo_masks(
                recipe, train, inputs, threshold, images
            )
            if "relabel" in inputs:
                folder = inputs["relabel"] / MASKS
                given = given_ids(inputs["label"])
                made = train.subset(record.id for record in train if record.id not in given)
                if len(made):
                    scores["relabelled_masks"] = score_masks(
                        made, folder, images.setdefault("relabelled_masks", {})
                    )
    supervised = fully_supervised(recipe)
    for name, stage, folder in (
        ("ceiling" if supervised else "segmenter", "segment", PREDICTIONS),
        ("ceiling", "ceiling", CEILING_PREDICTIONS),
    ):
        if stage in inputs:
            scores[name], seen = score_segmenter(
                recipe, val, inputs[stage] / SEGMENTER, out / folder, images, name
            )
            counts[f"{name}_all_background"] = seen.empty
            warnings += seen.warnings(name)
    if supervised:
        scores["segmenter"] = scores["ceiling"]
    for name, supervision in (("segmenter", "masks" if supervised else "pseudo_masks"), ("ceiling", "masks")):
        if scores[name]:
            scores[name] = scores[name] | {"supervision": supervision}
    warnings += (
        unscored_classes(scores) + contradicted_labels(splits.train(masks=True)) + contradicted_labels(val)
    )
    scores["conventions"] = conventions(
        recipe, len(corrected_ids(inputs["label"])) if "label" in inputs else 0
    )
    write_json(out / SCORES, scores)
    write_json(out / IMAGE_SCORES, images)
    write_json(out / THRESHOLD_CURVE, curve)
    return Outcome(
        summary(scores),
        {k: v["miou"] for k, v in scores.items() if v and "miou" in v} | counts,
        set_aside | val_set_aside,
        warnings,
    )


def summary(scores: Mapping[str, Any]) -> str:
    """Return the mIoUs in one line, with the segmenter's share of its ceiling."""
    parts = [
        f"{name.replace('_', ' ')} {row['miou']:.3f}"
        for name, row in scores.items()
        if row and row.get("miou") is not None
    ]
    if (share := share_of_ceiling(scores)) is not None:
        parts.append(f"segmenter / ceiling {share:.2f}")
    return "mIoU: " + ", ".join(parts) if parts else "no split has masks, so nothing could be scored"


def conventions(recipe: Recipe, corrected: int = 0) -> dict[str, str]:
    """Describe how the scores were computed; `corrected` is the number of masks that were corrected by hand."""
    segmenter, localize = recipe.segment, recipe.localize
    supervision = describe_supervision(recipe, corrected)
    by_hand = "; images with a corrected mask are not scored" if corrected else ""
    return {
        "supervision": supervision,
        "dataset": f"{recipe.dataset.name}, classes {', '.join(recipe.dataset.classes or ('all',))}, "
        f"options {recipe.dataset.options}",
        "ignored": "pixels whose true mask is 255 are not scored; a prediction of 255 counts as a miss",
        "mean": "over background and classes; a class that is absent from truth and prediction is skipped",
        "threshold": describe_level(recipe),
        "class_maps": f"image-level labels given; {localize.explainer}, scales {list(localize.scales)}, flip "
        f"{localize.flip}; {recipe.label.background} background; no CRF"
        + ("; minima subtracted" if localize.scaling == "range" else "")
        + (
            f"; a share of {localize.absent:g} of the maps of absent classes added" if localize.absent else ""
        ),
        "walked_maps": f"the class maps after {recipe.propagate.method}'s random walk; no CRF"
        if recipe.propagate.method != "none"
        else "none",
        "pseudo_masks": f"{supervision} given; CRF {recipe.label.crf.preset}"
        + (f" with {recipe.label.crf.parameters}; " if recipe.label.crf.parameters else "; ")
        + ("unsure pixels count as misses" if recipe.label.unsure else "every pixel labelled")
        + ("; images with a given mask are not scored" if recipe.supervision.masks_share else "")
        + by_hand,
        "relabelled_masks": f"image-level labels given; {recipe.relabel.rounds} rounds, scales "
        f"{list(recipe.relabel.scales)}, with flip; CRF {recipe.relabel.crf.preset}; pixels below a probability of "
        f"{recipe.relabel.confidence:g} are unsure, which counts as a miss" + by_hand
        if recipe.relabel.rounds
        else "none",
        "segmenter": ("trained with a mean teacher; " if segmenter.teacher.weight else "")
        + f"no labels given; scales {list(segmenter.scales)}, flip {segmenter.flip}, "
        f"fused by {segmenter.fusion}; CRF {segmenter.crf.preset}"
        + (
            f"; images reduced to {segmenter.max_side} pixels, masks at full size"
            if segmenter.max_side
            else ""
        )
        + (
            "; its epoch was chosen on the labels (on true masks: the masks) of the split that is scored, so the score "
            "is optimistic"
            if keeps_best(segmenter)
            else ""
        ),
        "oracle": "the best level on the scored images themselves, of all levels tried (`evaluate.levels` for class "
        "maps, `evaluate.oracle_levels` and the chosen level for pseudo-masks); for comparison only",
        "seed": str(recipe.seed),
    }


def score_segmenter(
    recipe: Recipe, val: Dataset, model: Path, folder: Path, images: dict[str, Any], name: str
) -> tuple[dict[str, Any] | None, EmptyPredictions]:
    """Predict the validation images that are not in `folder` yet, and score all predictions.

    Returns:
        The scores, or None if no image has a mask; and what the predictions lack.
    """
    folder.mkdir(exist_ok=True)
    left = unfinished(val, folder, ".png")
    crf = dense_crf(recipe.segment.crf)
    if left:
        prepare(recipe)
        network = load_model(model)
        if network.num_classes != len(val.classes) + 1:
            raise InputError(
                f"{model} predicts {network.num_classes} classes; the dataset has {len(val.classes) + 1}"
            )
        options = recipe.segment
        predictor = Predictor(
            network, options.scales, options.flip, options.fusion, max_side=options.max_side
        )
        with bar(f"predicting ({name})", len(val), done=len(val) - len(left)) as advance:
            for record, mask in predictor.masks(val, left, crf):
                write_mask(folder / f"{record.id}.png", mask)
                advance()
    scored = [record for record in val if record.mask is not None]
    total, rows, seen = ConfusionMatrix(len(val.classes) + 1), {}, EmptyPredictions(val)
    for record in val:
        prediction = read_mask(folder / f"{record.id}.png")
        seen.add(record, prediction)
        if record.mask is not None:
            rows[record.id] = add(total, prediction, val.read_mask(record))
    if not scored:
        return None, seen
    images.setdefault(name, {}).update(rows)
    return score_row(total, val, len(scored)), seen
