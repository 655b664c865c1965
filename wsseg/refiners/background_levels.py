"""The rules by which a background level is chosen: everything that the package knows of a rule stands here.

A new rule is a function and one entry of `RULES`.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from wsseg.artifacts import ClassMaps
from wsseg.refiners.thresholds import otsu_level


class Options(Protocol):
    """Options of the rules, as `wsseg.recipe.ThresholdConfig` has them."""

    level: float
    levels: tuple[float, ...]
    split: str | None
    images: int


@dataclass(frozen=True)
class Evidence:
    """What a rule may look at. A rule without masks never calls `score`.

    Attributes:
        maps: Returns the class maps of the training images that have a label.
        score: Takes levels; returns `(level, mIoU)` of pseudo-masks on the calibration images, and how many images.
    """

    maps: Callable[[], Iterable[ClassMaps]]
    score: Callable[[Sequence[float]], tuple[list[tuple[float, float]], int]]


@dataclass(frozen=True)
class Rule:
    """A way to choose the background level.

    Attributes:
        choose: Takes the options and the evidence; returns `level` and what the rule went by, for `threshold.json`.
        describe: Takes the options; says in words how the level is chosen, for the scores' conventions.
        needs_masks: Whether it goes by masks, of a split other than the training split.
        levels: Name of the option of levels that it uses, or None.
        backgrounds: Forms of the background (`label.background`) that it works with.
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
