"""Options that follow from the number and the sizes of the training images, where the recipe says `auto`.

nnU-Net plans a training from its data in the same way (Isensee et al., Nature Methods 2021); the rules are our own.
They take the settings that were measured best on 900 photographs of 320 pixels (the recipe `voc12_animals`), keep their
sizes in pixels as a network sees them, and give few images as many steps as a few hundred images get.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from wsseg.datasets import Dataset
from wsseg.errors import InputError
from wsseg.recipe import Recipe
from wsseg.recipe.auto import AUTO
from wsseg.recipe.marks import Option, options_of
from wsseg.supervision.splits import Splits

LONG_SIDE = 320
"""Median long side to which images are scaled, in pixels."""

MEASURED_IMAGES = 1000
"""Number of images whose sizes are read, evenly spaced."""

MANY_SIZES = 1.25
"""Ratio of the 90th to the 10th percentile of the long sides from which images are scaled by a factor."""

LARGEST_FACTOR = 2.0
"""Small images are enlarged by this factor at most."""

PREDICTED = (1.0, 1.5, 2.0)
"""Scales of prediction, as multiples of the factor that brings images to `LONG_SIDE`."""

LEVELS = {48: 0.4, 200: 0.3, 900: 0.25}
"""Number of training images -> background level with the best pseudo-masks (animals of VOC 2012, training masks).

The class maps of a classifier that saw few images are broader, so that a low level labels too much as foreground.
"""


@dataclass(frozen=True)
class Rule:
    """How long, and at which sizes, one section trains.

    Attributes:
        epochs: Least number of passes over the training images.
        steps: Least number of steps.
        crop: Side of the crop, as a multiple of the images' long side.
        sizes: Range of the scaled long side, as multiples of it.
    """

    epochs: int
    steps: int
    crop: float = 0.0
    sizes: tuple[float, float] = (0.0, 0.0)


RULES = {
    "classify": Rule(epochs=10, steps=200, crop=0.9, sizes=(0.8, 1.5)),
    "segment": Rule(epochs=4, steps=224, crop=0.8, sizes=(0.8, 1.4)),
    "relabel": Rule(epochs=2, steps=112),
}


@dataclass(frozen=True)
class Facts:
    """What is known of the training images before the start.

    Attributes:
        images: Number of images.
        long_side: Median long side, in pixels.
        spread: 90th percentile of the long sides, divided by the 10th.
    """

    images: int
    long_side: float
    spread: float

    @property
    def factor(self) -> float:
        """Factor that brings the median long side to `LONG_SIDE`."""
        return min(round(LONG_SIDE / self.long_side, 3), LARGEST_FACTOR)


def facts_of(train: Dataset) -> Facts:
    """Read the sizes of training images from their headers; files that cannot be read are left out.

    Raises:
        InputError: No image can be read.
    """
    some = np.linspace(0, len(train) - 1, min(len(train), MEASURED_IMAGES)).round().astype(int)
    sides, failed = [], None
    for index in some:
        try:
            sides.append(max(train.size_hw(train[int(index)])))
        except InputError as error:
            failed = error
    if not sides:
        raise failed
    low, middle, high = np.percentile(sides, (10, 50, 90))
    return Facts(len(train), float(middle), float(high / low))


def planned(recipe: Recipe, splits: Splits) -> tuple[Recipe, dict[str, Any]]:
    """Replace `auto` by values. The same recipe and training images give the same values.

    Args:
        recipe: The recipe.
        splits: Splits of its dataset; of the training images the number, the sizes, and no mask.

    Returns:
        The recipe without `auto` (but for `segment.enlarge`, which follows from the masks that are trained on); and the
        values that were chosen, by dotted name.

    Raises:
        InputError: The dataset cannot be opened.
    """
    return planned_for(recipe, facts_of(splits.train())) if _wanted(recipe) else (recipe, {})


def planned_for(recipe: Recipe, facts: Facts) -> tuple[Recipe, dict[str, Any]]:
    """Replace `auto` by values for training images of which this is known; see `planned`."""
    chosen = {}
    for option in _wanted(recipe):
        section = option.path.partition(".")[0]
        chosen[option.path] = PLANS[option.name](recipe, section, facts)
    for path, value in chosen.items():
        recipe = _with(recipe, path.split("."), value)
    return recipe, chosen


def _with(section: Any, path: list[str], value: Any) -> Any:
    name, *inner = path
    return replace(section, **{name: _with(getattr(section, name), inner, value) if inner else value})


def _wanted(recipe: Recipe) -> list[Option]:
    return [option for option in options_of(recipe) if option.value == AUTO and option.name in PLANS]


def described(train: Dataset, chosen: dict[str, Any]) -> list[str]:
    """Say which values were chosen, and from what; nothing if there are none."""
    if not chosen:
        return []
    facts = facts_of(train)
    lines = [
        f"planned from {facts.images:,} training images with a median long side of {facts.long_side:.0f} pixels:"
    ]
    for section in dict.fromkeys(path.partition(".")[0] for path in chosen):
        of_it = {
            path.partition(".")[2]: value for path, value in chosen.items() if path.startswith(f"{section}.")
        }
        lines.append(f"  {section}: " + ", ".join(f"{name} {_plain(value)}" for name, value in of_it.items()))
    return lines


def _plain(value: Any) -> Any:
    return list(value) if isinstance(value, tuple) else "none" if value is None else value


def _epochs(recipe: Recipe, section: str, facts: Facts) -> int:
    rule = RULES[section]
    batch = (recipe.segment if section == "relabel" else getattr(recipe, section)).batch_size
    steps_per_epoch = max(facts.images // min(batch, facts.images), 1)
    return max(rule.epochs, math.ceil(rule.steps / steps_per_epoch))


def _seen(facts: Facts) -> float:
    """Return the median long side as a network sees it, in pixels."""
    return facts.factor * facts.long_side


def _crop(recipe: Recipe, section: str, facts: Facts) -> int:
    return max(32 * round(RULES[section].crop * _seen(facts) / 32), 32)


def _long_side(recipe: Recipe, section: str, facts: Facts) -> tuple[int, int]:
    return tuple(max(round(end * _seen(facts)), 16) for end in RULES[section].sizes)


def _scale(recipe: Recipe, section: str, facts: Facts) -> tuple[float, float] | None:
    if facts.spread < MANY_SIZES:
        return None
    return tuple(round(end * facts.factor, 3) for end in RULES[section].sizes)


def _scales(recipe: Recipe, section: str, facts: Facts) -> tuple[float, ...]:
    return tuple(round(scale * facts.factor, 2) for scale in PREDICTED)


def _level(recipe: Recipe, section: str, facts: Facts) -> float:
    """Return the level between those of `LEVELS`, linear in the logarithm of the number of images."""
    return round(float(np.interp(math.log(facts.images), np.log(list(LEVELS)), list(LEVELS.values()))), 2)


PLANS: dict[str, Callable[[Recipe, str, Facts], Any]] = {
    "epochs": _epochs,
    "crop": _crop,
    "long_side": _long_side,
    "scale": _scale,
    "scales": _scales,
    "level": _level,
}
"""Name of an option -> function that chooses its value."""
