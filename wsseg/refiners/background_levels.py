"""The rules that choose a background level. Everything about a rule is in this file.

A new rule is a function and one entry of `RULES`.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from wsseg.artifacts import ClassMaps
from wsseg.refiners.thresholds import otsu_level


class Options(Protocol):
    """Options of the rules; `wsseg.recipe.ThresholdConfig` has them."""

    level: float
    levels: tuple[float, ...]
    split: str | None
    images: int


@dataclass(frozen=True)
class Evidence:
    """Data that a rule may use. A rule without masks never calls `score`.

    Attributes:
        maps: Function that returns the class maps of the training images that have a label.
        score: Function that takes levels. It returns `(level, mIoU)` of the pseudo-masks of the calibration images for
            each level, and the number of these images.
    """

    maps: Callable[[], Iterable[ClassMaps]]
    score: Callable[[Sequence[float]], tuple[list[tuple[float, float]], int]]


@dataclass(frozen=True)
class Rule:
    """A way to choose the background level.

    Attributes:
        choose: Function that takes the options and the evidence. It returns `level` and the facts behind the choice,
            for `threshold.json`.
        describe: Function that takes the options. It describes in words how the level is chosen, for the scores'
            conventions.
        needs_masks: Whether the rule uses masks, of a split other than the training split.
        levels: Name of the option that holds the rule's level or levels, or None.
        backgrounds: Forms of the background (`label.background`) that the rule works with.
    """

    choose: Callable[[Options, Evidence], dict[str, Any]]
    describe: Callable[[Options], str]
    needs_masks: bool = False
    levels: str | None = None
    backgrounds: tuple[str, ...] = ("constant", "power")


def _calibrated(options: Options, evidence: Evidence) -> dict[str, Any]:
    curve, images = evidence.score(options.levels)
    level, best = max(curve, key=lambda point: point[1])
    return {"level": level, "split": options.split, "images": images, "miou": best, "curve": curve}


RULES = {
    "fixed": Rule(
        choose=lambda options, evidence: {"level": options.level},
        describe=lambda options: f"fixed at {options.level:g} by the recipe",
        levels="level",
    ),
    "otsu": Rule(
        choose=lambda options, evidence: {"level": float(otsu_level(evidence.maps()))},
        describe=lambda options: "Otsu's level of the class maps, without any mask",
        backgrounds=("constant",),
    ),
    "calibration": Rule(
        choose=_calibrated,
        describe=lambda options: (
            f"the best on up to {options.images} images with masks of split `{options.split}`"
        ),
        needs_masks=True,
        levels="levels",
    ),
}
"""Name in the recipe (`label.threshold.rule`) -> rule."""
