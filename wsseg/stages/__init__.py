"""The stages of a run, in order. A stage is a function from directories to one new directory.

Each module has `run(recipe, inputs, out) -> Outcome`; `engine` decides what runs, is skipped or resumes.
"""

from dataclasses import dataclass, field
from typing import Any

from wsseg.recipe import Recipe


@dataclass(frozen=True)
class Stage:
    """What the engine knows of a stage before it runs.

    Attributes:
        folder: Its directory inside the run folder.
        run: "module:function" of `run(recipe, inputs, out) -> Outcome`.
        sections: Dotted names of the recipe's options that decide its outcome.
        inputs: Stages whose directories it reads.
        data: Parts of the dataset it depends on: `train`, `val`, `calibration`, each also with `_masks`.
    """

    folder: str
    run: str
    sections: tuple[str, ...]
    inputs: tuple[str, ...] = ()
    data: tuple[str, ...] = ()


@dataclass(frozen=True)
class Outcome:
    """What a stage says when it is done.

    Attributes:
        line: One line: what it made, how good it is.
        counts: The same for the manifest: numbers by name.
        set_aside: Inputs left out, `id -> reason`.
    """

    line: str
    counts: dict[str, Any] = field(default_factory=dict)
    set_aside: dict[str, str] = field(default_factory=dict)


STAGES = {
    "classify": Stage(
        "1_classify",
        "wsseg.stages.classify.stage:run",
        ("seed", "precision", "dataset", "classify"),
        data=("train", "val"),
    ),
    "localize": Stage(
        "2_localize",
        "wsseg.stages.localize:run",
        (
            "seed",
            "dataset",
            "localize",
            "label.threshold.rule",
            "label.threshold.split",
            "label.threshold.images",
        ),
        ("classify",),
        ("train", "calibration_masks"),
    ),
    "propagate": Stage(
        "3_propagate",
        "wsseg.stages.propagate.stage:run",
        ("seed", "precision", "dataset", "propagate"),
        ("classify", "localize"),
        ("train",),
    ),
    "label": Stage(
        "4_label",
        "wsseg.stages.label.stage:run",
        ("dataset", "label"),
        ("propagate",),
        ("train", "calibration_masks"),
    ),
    "relabel": Stage(
        "4_relabel",
        "wsseg.stages.relabel:run",
        ("seed", "precision", "dataset", "relabel", "segment"),
        ("label",),
        ("train",),
    ),
    "segment": Stage(
        "5_segment",
        "wsseg.stages.segment:run",
        ("seed", "precision", "dataset", "segment"),
        ("label", "relabel"),
        ("train",),
    ),
    "ceiling": Stage(
        "5_segment_ceiling",
        "wsseg.stages.segment:run_ceiling",
        ("seed", "precision", "dataset", "segment"),
        (),
        ("train_masks",),
    ),
    "detect": Stage(
        "5_detect",
        "wsseg.stages.detect:run",
        ("seed", "precision", "dataset", "detect"),
        ("label",),
        ("train",),
    ),
    "detect_ceiling": Stage(
        "5_detect_ceiling",
        "wsseg.stages.detect:run_ceiling",
        ("seed", "precision", "dataset", "detect"),
        (),
        ("train_masks",),
    ),
    "evaluate": Stage(
        "6_evaluate",
        "wsseg.stages.evaluate.stage:run",
        (
            "dataset",
            "label",
            "evaluate",
            "segment.scales",
            "segment.flip",
            "segment.fusion",
            "segment.max_side",
            "segment.crf",
        ),
        ("propagate", "label", "relabel", "segment", "ceiling"),
        ("train_masks", "val_masks"),
    ),
    "evaluate_detectors": Stage(
        "6_evaluate_detectors",
        "wsseg.stages.evaluate.detectors:run",
        ("dataset", "detect.network", "detect.size"),
        ("label", "detect", "detect_ceiling"),
        ("train_masks", "val_masks"),
    ),
    "report": Stage(
        "7_report",
        "wsseg.stages.report.stage:run",
        ("name", "report", "dataset"),
        (
            "classify",
            "localize",
            "propagate",
            "label",
            "relabel",
            "segment",
            "ceiling",
            "detect",
            "detect_ceiling",
            "evaluate",
            "evaluate_detectors",
        ),
        ("train_masks", "val_masks"),
    ),
}


def plan(recipe: Recipe) -> list[str]:
    """Name the stages that a recipe has, in order.

    A fully supervised recipe (`segment.train_on: true_masks`) has no use for a classifier or class maps.

    Example:
        >>> plan(Recipe())
        ['classify', 'localize', 'propagate', 'label', 'segment', 'evaluate', 'report']
    """
    if recipe.segment.train_on == "true_masks":
        first = ["classify"] if recipe.segment.weights == "classifier" else []
        return [*first, "segment", "evaluate", "report"]
    left_out = set()
    if recipe.segment.network == "none":
        left_out |= {"relabel", "segment", "ceiling"}
    if recipe.detect.network == "none":
        left_out |= {"detect", "detect_ceiling", "evaluate_detectors"}
    if recipe.relabel.rounds == 0:
        left_out |= {"relabel"}
    if not recipe.ceiling:
        left_out |= {"ceiling", "detect_ceiling"}
    if recipe.supervision.masks_share and recipe.supervision.rest != "pseudo_masks":
        left_out |= {"classify", "localize", "propagate"}
    return [name for name in STAGES if name not in left_out]


def inputs_of(recipe: Recipe, name: str) -> list[str]:
    """Name the stages of this recipe whose directories a stage reads."""
    stages = plan(recipe)
    inputs = [other for other in STAGES[name].inputs if other in stages]
    trained = {"relabel": recipe.segment, "segment": recipe.segment, "ceiling": recipe.segment}
    trained |= {"detect": recipe.detect, "detect_ceiling": recipe.detect}
    if name in trained and trained[name].weights == "classifier":
        inputs.append("classify")
    labelled = ("label", "relabel", "segment", "evaluate")
    if recipe.supervision.clean_labels != "none" and name in labelled and "classify" in stages:
        inputs += [] if "classify" in inputs else ["classify"]  # it writes the corrected labels
    if name == "evaluate" and recipe.propagate.method != "none" and "localize" in stages:
        inputs.insert(0, "localize")
    return inputs
