"""The stages of a run, in order. A stage is a function that reads folders and writes one new folder."""

from typing import Any

from wsseg.recipe import Recipe
from wsseg.recipe.decisions import (
    calibrates,
    corrects_labels,
    draws_supervision,
    fully_supervised,
    keeps_best,
    makes_class_maps,
    relabels,
    supervision_acts,
    trains_classifier,
    trains_detector,
    trains_segmenter,
    walks,
)
from wsseg.stages import plan_costs, plan_lines
from wsseg.stages.stage import Condition, Outcome, Stage, each

__all__ = ["STAGES", "Outcome", "Stage", "inputs_of", "plan"]


def both(first: Condition, second: Condition) -> Condition:
    """Return the condition that both conditions hold."""
    return lambda recipe: first(recipe) and second(recipe)


def either(first: Condition, second: Condition) -> Condition:
    """Return the condition that at least one of two conditions holds."""
    return lambda recipe: first(recipe) or second(recipe)


def supervision(*names: str) -> dict[str, Condition]:
    """Return options of the section `supervision`, each with the condition that it has an effect."""
    return {f"supervision.{name}": supervision_acts(name) for name in names}


def from_classifier(section: str) -> Condition:
    """Return the condition that a network starts from the classifier's backbone."""
    return lambda recipe: getattr(recipe, section).weights == "classifier"


def pseudo_labels(recipe: Recipe) -> bool:
    """Whether masks are made for the training images."""
    return not fully_supervised(recipe)


def ceiling(recipe: Recipe) -> bool:
    """Whether the same networks are also trained on the true masks."""
    return pseudo_labels(recipe) and recipe.ceiling


def chooses_epoch(recipe: Recipe) -> bool:
    """Whether a segmenter's epoch is chosen on the validation images."""
    return keeps_best(recipe.segment)


def on_true_masks(definition: dict[str, Any]) -> None:
    """State that the ceiling trains on true masks, and omit the mean teacher, which then has nothing to label."""
    definition["options"]["segment"]["supervision"] = "masks"
    definition["options"]["segment"].pop("teacher", None)


NOISE = supervision("label_noise", "clean_labels")
TRAINING = each("seed", "precision", "dataset")
SCORED = each("train_masks", "val_masks")

STAGES = {
    "classify": Stage(
        "1_classify",
        "wsseg.stages.classify.stage:run",
        plan_lines.classify,
        plan_costs.classify,
        when=trains_classifier,
        options=TRAINING | each("classify") | NOISE | supervision("clean_folds"),
        data=each("train", "val"),
    ),
    "localize": Stage(
        "2_localize",
        "wsseg.stages.localize:run",
        plan_lines.localize,
        plan_costs.localize,
        when=makes_class_maps,
        options=each("seed", "dataset", "localize")
        | each("label.threshold.rule", "label.threshold.split", "label.threshold.images", when=calibrates)
        | NOISE,
        inputs=each("classify"),
        data=each("train") | each("calibration_masks", when=calibrates),
    ),
    "propagate": Stage(
        "3_propagate",
        "wsseg.stages.propagate.stage:run",
        plan_lines.propagate,
        plan_costs.propagate,
        when=makes_class_maps,
        options=TRAINING | each("propagate") | NOISE,
        inputs=each("classify", "localize"),
        data=each("train"),
    ),
    "label": Stage(
        "4_label",
        "wsseg.stages.label.stage:run",
        plan_lines.label,
        plan_costs.label,
        when=pseudo_labels,
        options=each("dataset", "label")
        | each("seed", when=draws_supervision)
        | NOISE
        | supervision("annotations", "simulated", "width", "loosened", "masks_share", "rest"),
        inputs=each("propagate") | each("classify", when=corrects_labels),
        data=each("train")
        | each("calibration_masks", when=calibrates)
        | each("given_masks", when=supervision_acts("masks_share"))
        | each("annotations", when=supervision_acts("annotations"))
        | each("corrected_masks"),
        updates=("corrected_masks",),
    ),
    "relabel": Stage(
        "4_relabel",
        "wsseg.stages.relabel:run",
        plan_lines.relabel,
        plan_costs.relabel,
        when=relabels,
        options=TRAINING | each("relabel", "segment") | supervision("masks_repeat"),
        inputs=each("label") | each("classify", when=either(from_classifier("segment"), corrects_labels)),
        data=each("train") | each("val", when=chooses_epoch),
    ),
    "segment": Stage(
        "5_segment",
        "wsseg.stages.segment:run",
        plan_lines.segment,
        plan_costs.segment,
        when=trains_segmenter,
        options=TRAINING | each("segment") | supervision("masks_repeat"),
        inputs=each("label", "relabel")
        | each("classify", when=either(from_classifier("segment"), corrects_labels)),
        data=each("train")
        | each("train_masks", when=fully_supervised)
        | each("val", when=both(chooses_epoch, pseudo_labels))
        | each("val_masks", when=both(chooses_epoch, fully_supervised)),
    ),
    "ceiling": Stage(
        "5_segment_ceiling",
        "wsseg.stages.segment:run_ceiling",
        plan_lines.ceiling,
        plan_costs.segment,
        when=both(ceiling, trains_segmenter),
        options=TRAINING | each("segment"),
        inputs=each("classify", when=from_classifier("segment")),
        data=each("train_masks") | each("val_masks", when=chooses_epoch),
        amend=on_true_masks,
    ),
    "detect": Stage(
        "5_detect",
        "wsseg.stages.detect:run",
        plan_lines.detect,
        plan_costs.detect,
        when=trains_detector,
        options=TRAINING | each("detect"),
        inputs=each("label") | each("classify", when=from_classifier("detect")),
        data=each("train"),
    ),
    "detect_ceiling": Stage(
        "5_detect_ceiling",
        "wsseg.stages.detect:run_ceiling",
        plan_lines.detect_ceiling,
        plan_costs.detect,
        when=both(ceiling, trains_detector),
        options=TRAINING | each("detect"),
        inputs=each("classify", when=from_classifier("detect")),
        data=each("train_masks"),
    ),
    "evaluate": Stage(
        "6_evaluate",
        "wsseg.stages.evaluate.stage:run",
        plan_lines.evaluate,
        plan_costs.evaluate,
        options=each("dataset", "evaluate")
        | each("label", when=pseudo_labels)
        | each("segment.scales", "segment.flip", "segment.fusion", "segment.max_side", "segment.crf"),
        inputs=each("localize", when=walks)
        | each("propagate", "label", "relabel", "segment", "ceiling")
        | each("classify", when=corrects_labels),
        data=SCORED,
    ),
    "evaluate_detectors": Stage(
        "6_evaluate_detectors",
        "wsseg.stages.evaluate.detectors:run",
        plan_lines.evaluate_detectors,
        plan_costs.evaluate_detectors,
        when=trains_detector,
        options=each("dataset", "detect.network", "detect.size"),
        inputs=each("label", "detect", "detect_ceiling"),
        data=SCORED,
    ),
}
"""Name -> stage, in order. The report is added below, because it reads the folders of all other stages."""

STAGES["report"] = Stage(
    "7_report",
    "wsseg.stages.report.stage:run",
    plan_lines.report,
    options=each("name", "report", "dataset"),
    inputs=each(*STAGES),
    data=SCORED,
)


def plan(recipe: Recipe) -> list[str]:
    """Return the names of a recipe's stages, in order.

    Example:
        >>> plan(Recipe())
        ['classify', 'localize', 'propagate', 'label', 'segment', 'evaluate', 'report']
    """
    return [name for name, stage in STAGES.items() if stage.when(recipe)]


def inputs_of(recipe: Recipe, name: str) -> list[str]:
    """Return the names of the recipe's stages whose folders a stage reads."""
    planned = plan(recipe)
    return [other for other, when in STAGES[name].inputs.items() if other in planned and when(recipe)]
