"""Options of what makes masks: the dense CRF, the background level, the label and relabel stages."""

import itertools
from dataclasses import dataclass, field
from typing import Annotated, Any, Literal

from wsseg.errors import InputError, nearest
from wsseg.recipe.auto import Auto
from wsseg.recipe.marks import IGNORED_IN_HASH, OMIT_IF_DEFAULT
from wsseg.recipe.ranges import SCALES, Range, at_least, interval
from wsseg.refiners.background_levels import RULES
from wsseg.refiners.dense_crf.presets import PRESETS


@dataclass(frozen=True)
class KernelParameters(Range):
    """Parameters of the CRF's kernels, each in its own range."""

    words: str = f"with any of {', '.join(PRESETS['irn'])}"
    holds: Any = None

    def check(self, option: str, value: dict[str, float]) -> None:
        """Fail on a parameter that the CRF does not have, and on a value that it cannot have.

        Raises:
            InputError: The message names the parameter.
        """
        for name, number in value.items():
            if name not in PRESETS["irn"]:
                raise InputError(f"`{option}`: no `{name}`; {nearest(name, PRESETS['irn'])}")
            weight = "weight" in name
            wanted = Range("0 or more", lambda x: x >= 0) if weight else Range("positive", lambda x: x > 0)
            wanted.check(f"{option}.{name}", number)


@dataclass(frozen=True)
class CRFConfig:
    """Refine scores by a dense CRF.

    Attributes:
        preset: Parameters of a public code: irn, psa, deeplab_v2 or toco (see `wsseg.refiners.DenseCRF`); none for no
            CRF.
        iterations: Number of mean-field iterations.
        unary: Source of the unary term: labels (the argmax with a fixed confidence, as in IRN), or scores (the
            normalised scores, as in PSA).
        backend: Implementation: numba (our own, on CPU cores), keras (the same on a GPU), or pydensecrf (the field's
            reference: the same labels, five times as slow).
        parameters: Values that differ from the preset, such as `bilateral_sxy`.
    """

    preset: Literal["irn", "psa", "deeplab_v2", "toco", "none"] = "irn"
    iterations: Annotated[int, at_least(1, "`preset: none` is no CRF")] = 10
    unary: Literal["labels", "scores"] = "labels"
    backend: Literal["numba", "keras", "pydensecrf"] = "numba"
    parameters: Annotated[dict[str, float], KernelParameters()] = field(default_factory=dict)


LEVELS = Range("one level or more", lambda levels: len(levels) > 0)


@dataclass(frozen=True)
class ThresholdConfig:
    """Choose the background level, without pixel labels of the images that are scored.

    Attributes:
        rule: Rule for the background level: fixed (`level`), otsu (from the maps alone; see
            `wsseg.refiners.thresholds`), or calibration (the best of `levels` on `images` images of `split`, which must
            not be the training split).
        level: Level of the rule fixed: the score of a constant background in (0, 1), or the exponent of a power
            background. auto: a constant one from 0.4 (48 training images or fewer) to 0.25 (900 or more).
        split: Name of a split with masks, for the rule calibration.
        images: Number of images for the rule calibration, drawn with the recipe's seed.
        levels: Levels that the rule calibration chooses from.
    """

    rule: Literal[*RULES] = "fixed"
    level: float | Auto = 0.25
    split: str | None = None
    images: Annotated[int, at_least(1, "try 100")] = 100
    levels: Annotated[tuple[float, ...], LEVELS] = (0.1, 0.15, 0.2, 0.25, 0.3, 0.35, 0.4, 0.5)


GRID = Range(
    "one positive value or several rising ones",
    lambda row: len(row) > 0 and all(a < b for a, b in itertools.pairwise((0, *row))),
)


@dataclass(frozen=True)
class CRFSearchConfig:
    """Search the CRF's bilateral kernel on the calibration split (`label.threshold.split`), as DeepLab does.

    Attributes:
        rounds: Number of search rounds; 0 for no search. The first round tries all combinations of the values below;
            each further round tries a grid around the best, with values half as far apart.
        bilateral_weight: Weights of the kernel in the first round.
        bilateral_sxy: Standard deviations of position in the first round, in pixels.
        bilateral_srgb: Standard deviations of colour in the first round, in units of 0..255.
    """

    rounds: Annotated[int, Range("0 for no search, or more", lambda n: n >= 0, "try 2")] = 0
    bilateral_weight: Annotated[tuple[float, ...], GRID] = (3, 5, 8)
    bilateral_sxy: Annotated[tuple[float, ...], GRID] = (30, 50, 80, 120)
    bilateral_srgb: Annotated[tuple[float, ...], GRID] = (3, 5, 8, 13)


@dataclass(frozen=True)
class LabelConfig:
    """Make pseudo-masks from class maps.

    Attributes:
        background: Kind of background score: constant (the level everywhere), or power ((1 - max)^level, as in PSA).
        threshold: Choice of the background level.
        crf: Dense CRF on the class maps.
        crf_search: Search for the CRF's parameters.
        unsure: Half-width of the unsure band around the level; pixels whose label changes inside it become 255, as in
            IRN. 0 for no band.
        workers: Number of processes; -1 for one per core.
    """

    background: Literal["constant", "power"] = "constant"
    threshold: ThresholdConfig = field(default_factory=ThresholdConfig)
    crf: CRFConfig = field(default_factory=CRFConfig)
    crf_search: CRFSearchConfig = field(default_factory=CRFSearchConfig)
    unsure: float = 0.0
    workers: Annotated[
        int, Range("a number of processes, or -1 for one per core", lambda n: n != 0), IGNORED_IN_HASH
    ] = -1


@dataclass(frozen=True)
class RelabelConfig:
    """Train a segmenter on the pseudo-masks and label the training images again with it (self-training).

    Attributes:
        rounds: Number of rounds; 0 for none. Each round trains a segmenter with the options of `segment`.
        epochs: Number of epochs of these segmenters; null for `segment.epochs`; auto for half of what it gives
            the segmenter. Fewer epochs cost less and learn fewer of the masks' mistakes.
        scales: Image scales whose predictions are fused for the labels; flipped images too. auto: see
            `localize.scales`.
        confidence: Minimum probability after the CRF; pixels below it become 255 (unsure).
        crf: Dense CRF on the probabilities; its `unary` is not used.
    """

    rounds: Annotated[int, Range("0 for none, or more", lambda n: n >= 0, "try 1")] = 0
    epochs: Annotated[
        int | Auto | None, Range("1 or more", lambda n: n >= 1, "null: `segment.epochs`"), OMIT_IF_DEFAULT
    ] = None
    scales: Annotated[tuple[float, ...] | Auto, SCALES] = (1.0,)
    confidence: Annotated[float, interval("[0, 1)", "0 for all pixels")] = 0.0
    crf: CRFConfig = field(default_factory=lambda: CRFConfig(preset="deeplab_v2", unary="scores"))
