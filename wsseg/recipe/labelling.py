"""Options of what makes masks of class maps: the dense CRF, thresholds, the label stage."""

from dataclasses import dataclass, field
from typing import Literal


@dataclass(frozen=True)
class CRFConfig:
    """The dense CRF on the scores.

    Attributes:
        preset: irn, psa, deeplab_v2 or toco (see `wsseg.refiners.DenseCRF`), or none for no CRF.
        iterations: Mean-field iterations.
        unary: labels (the map's argmax with a fixed confidence, as in IRN) or scores (the normalised
            scores themselves, as in PSA).
        backend: numba (our own, on the CPU's cores), keras (the same on the GPU) or pydensecrf (the field's reference;
            the same labels, five times as slow).
        parameters: What differs from the preset, such as `bilateral_sxy`.
    """

    preset: Literal["irn", "psa", "deeplab_v2", "toco", "none"] = "irn"
    iterations: int = 10
    unary: Literal["labels", "scores"] = "labels"
    backend: Literal["numba", "keras", "pydensecrf"] = "numba"
    parameters: dict[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class ThresholdConfig:
    """How the background level is chosen, without pixel labels of the images that are scored.

    Attributes:
        rule: fixed (`level` as given), otsu (label-free: see `wsseg.refiners.thresholds`), or calibration
            (the best of `levels` on `images` images of `split`, which must not be the training split).
        level: Of the `fixed` rule: the constant background's value in [0, 1], or the power
            background's exponent.
        split: Of the `calibration` rule: a split of the dataset that has masks.
        images: Of the `calibration` rule: how many images, drawn by the recipe's seed.
        levels: Of the `calibration` rule: the levels to choose from.
    """

    rule: Literal["fixed", "otsu", "calibration"] = "fixed"
    level: float = 0.25
    split: str | None = None
    images: int = 100
    levels: tuple[float, ...] = (0.1, 0.15, 0.2, 0.25, 0.3, 0.35, 0.4, 0.5)


@dataclass(frozen=True)
class CRFSearchConfig:
    """Choose the CRF's appearance kernel on the calibration split, which `label.threshold` names, as DeepLab does.

    Attributes:
        rounds: 0 for no search; 1 for a grid of the values below; each further one for a grid around the best, of
            values half as far apart.
        bilateral_weight: Values of the first round.
        bilateral_sxy: The same; pixels.
        bilateral_srgb: The same; in 0..255 units.
    """

    rounds: int = 0
    bilateral_weight: tuple[float, ...] = (3, 5, 8)
    bilateral_sxy: tuple[float, ...] = (30, 50, 80, 120)
    bilateral_srgb: tuple[float, ...] = (3, 5, 8, 13)


@dataclass(frozen=True)
class LabelConfig:
    """Turn class maps into pseudo-masks.

    Attributes:
        background: constant (a score of `level` everywhere) or power ((1 - max)^level, as in PSA).
        threshold: How the level is chosen.
        crf: The dense CRF.
        crf_search: How its parameters are searched for, if at all.
        unsure: Where not 0, pixels that are neither foreground at a background level this much higher nor
            background at one this much lower become 255 (unsure) for the segmenter, as in IRN.
        workers: Processes; -1 for one a core.
    """

    background: Literal["constant", "power"] = "constant"
    threshold: ThresholdConfig = field(default_factory=ThresholdConfig)
    crf: CRFConfig = field(default_factory=CRFConfig)
    crf_search: CRFSearchConfig = field(default_factory=CRFSearchConfig)
    unsure: float = 0.0
    workers: int = -1
