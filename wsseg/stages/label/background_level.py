"""The background level of a run, chosen by the recipe's rule. No masks of the training images are used."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from wsseg.artifacts import ClassMaps
from wsseg.datasets import Dataset
from wsseg.errors import InputError
from wsseg.file_names import CALIBRATION, MAPS
from wsseg.recipe import LabelConfig, Recipe
from wsseg.refiners.background_levels import RULES, Evidence
from wsseg.stages.crf import with_crf
from wsseg.stages.label.crf_search import search_crf
from wsseg.stages.label.pseudo_masks import score_levels
from wsseg.supervision.splits import Splits


def choose_threshold(recipe: Recipe, splits: Splits, maps: Path, train: Dataset, out: Path) -> dict[str, Any]:
    """Choose the background level. If the recipe searches the CRF's parameters, choose the level again with the best.

    Args:
        recipe: Recipe with the options of the section `label`.
        splits: Splits of the dataset, including the calibration split.
        maps: Folder of the stage that made the class maps.
        train: Training images.
        out: Folder of the label stage, where the trials of the search are written.

    Returns:
        Content of `threshold.json`.
    """
    threshold = choose_level(recipe, splits, maps, train)
    if not recipe.label.crf_search.rounds:
        return threshold
    split = splits.calibration(masks=True)
    parameters = search_crf(recipe.label, threshold["level"], split, maps / CALIBRATION, out)
    again = replace(recipe, label=with_crf(recipe.label, parameters))
    return choose_level(again, splits, maps, train) | {"crf": parameters}


def with_searched_crf(config: LabelConfig, threshold: Mapping[str, Any]) -> LabelConfig:
    """Return the options with the CRF's parameters from `threshold.json`, if it has any."""
    return with_crf(config, threshold["crf"]) if "crf" in threshold else config


def choose_level(recipe: Recipe, splits: Splits, maps: Path, train: Dataset) -> dict[str, Any]:
    """Choose the background level by the recipe's rule.

    Returns:
        `rule`, `level`, and the facts behind the rule's choice.

    Raises:
        InputError: The rule needs masks, and the calibration split has none or shares images with the training split.
    """
    options = recipe.label.threshold

    def training_maps():
        return (ClassMaps.of(maps / MAPS, record) for record in train if record.labels)

    def score(levels: Sequence[float]) -> tuple[list[tuple[float, float]], int]:
        splits.check_calibration()
        split = splits.calibration(masks=True)
        curve = score_levels(recipe.label, levels, split, maps / CALIBRATION, "calibrating")
        if not curve:
            raise InputError(
                f"`label.threshold.split`: the masks of `{options.split}` have no scored pixel; use another split"
            )
        return curve, len(split)

    return {"rule": options.rule} | RULES[options.rule].choose(options, Evidence(training_maps, score))


def describe_level(recipe: Recipe) -> str:
    """Describe in words how the background level is chosen."""
    options = recipe.label.threshold
    rule = RULES[options.rule]
    text = rule.describe(options)
    if rule.needs_masks and options.split == recipe.dataset.val:
        text += "; the segmenter is also scored on that split"
    return text
