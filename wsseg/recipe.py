"""The recipe: one frozen dataclass a stage, and the dataset they share."""

from dataclasses import dataclass, field
from typing import Any, Literal


@dataclass(frozen=True)
class DatasetConfig:
    """Which images, labels and (for scoring only) masks.

    Attributes:
        name: A dataset of `wsseg.datasets`; `wsseg datasets list` lists them with their options.
        root: Its folder. Not part of a run's identity: data may move.
        classes: The foreground classes in mask-id order, or None for all that the dataset has.
        train: Split whose images are trained on.
        val: Split that the segmenter is scored on.
        options: What else the dataset takes (`other_objects` of voc, `size` of scenes ...).
    """

    name: str = "scenes"
    root: str | None = None
    classes: tuple[str, ...] | None = None
    train: str = "train"
    val: str = "val"
    options: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class ClassifyConfig:
    """Train a classifier from image-level labels.

    Attributes:
        head: A classifier of `wsseg.classifiers`: gap, nin or acol.
        options: What else the head takes (`channels` and `dropout` of nin, `branch_channels` and `erase_threshold` of
            acol; `activation: softmax` where every image has one label).
        backbone: A network of `wsseg.backbones`.
        output_stride: 32, 16 or 8: of the features that the class maps are made of.
        weights: None (from scratch), "imagenet", or a weights file.
        crop: Side of the square training crop, pixels.
        long_side: Range that the image's long side is scaled to at random, pixels; equal ends fix it.
        mirror: Random mirroring: horizontal, or both: also upside down, for scenes without an up and down.
        jitter: Strength of the photometric jitter in [0, 1]; 0 turns it off.
        erase: Largest side of a rectangle that is blotted out of each crop, as a share of it; 0 for none.
        epochs: Passes over the training images.
        batch_size: Images a step.
        optimizer: sgd (momentum 0.9) or adamw.
        learning_rate: At the first step; it falls to 0 by the poly rule, power 0.9.
        head_multiplier: Learning rate of the head over the backbone's.
        weight_decay: Decoupled decay a step, times the learning rate.
    """

    head: str = "gap"
    options: dict[str, Any] = field(default_factory=dict)
    backbone: str = "mobilenet_0.75"
    output_stride: int = 16
    weights: str | None = None
    crop: int = 320
    long_side: tuple[int, int] = (256, 448)
    mirror: Literal["horizontal", "both"] = "horizontal"
    jitter: float = 0.3
    erase: float = 0.0
    epochs: int = 8
    batch_size: int = 16
    optimizer: Literal["sgd", "adamw"] = "sgd"
    learning_rate: float = 0.01
    head_multiplier: float = 1.0
    weight_decay: float = 1e-4


@dataclass(frozen=True)
class LocalizeConfig:
    """Turn the classifier into class maps.

    Attributes:
        explainer: An explainer of `wsseg.explainers`; acol for the head acol.
        scales: Image scales whose maps are summed (IRN: 1, 0.5, 1.5, 2).
        flip: Also the mirrored image.
        output_stride: Of the classifier while it explains, or None for the one it was trained at; a
            smaller one gives finer maps from the same weights.
        map_stride: Stored maps have 1/map_stride of the image's size (IRN: 4).
        batch_size: Images a step; those of one batch share a padded shape.
    """

    explainer: str = "cam"
    scales: tuple[float, ...] = (1.0, 0.5, 1.5, 2.0)
    flip: bool = True
    output_stride: int | None = None
    map_stride: int = 4
    batch_size: int = 8


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
class PropagateConfig:
    """Spread the class maps over the image by learned affinity and a random walk.

    Attributes:
        method: none: the class maps pass through as they are; psa: AffinityNet; irn: IRNet's class boundaries.
        background: Of the confident labels, as `label.background`.
        confident: Background levels of the confident labels: what is foreground under the first is foreground, what is
            background under the second is background, all else is unknown. IRN: [0.3, 0.05] constant; PSA:
            [4, 32] power.
        crf: The dense CRF on the confident labels.
        backbone: A network of `wsseg.backbones`; None for the classify stage's, with `weights: classifier`.
        weights: None (from scratch), "imagenet", a weights file, or "classifier": the classify stage's backbone.
        output_stride: 32, 16 or 8; None for the classifier's.
        freeze: Of the backbone, what does not learn: true as in IRN, false as in PSA.
        crop: Side of the square training crop, pixels.
        long_side: Range that the image's long side is scaled to at random, pixels.
        mirror: Random mirroring, as of `classify.mirror`.
        jitter: Strength of the photometric jitter in [0, 1].
        epochs: Passes over the training images.
        batch_size: Images a step.
        optimizer: sgd (momentum 0.9) or adamw.
        learning_rate: At the first step; it falls to 0 by the poly rule, power 0.9.
        head_multiplier: Learning rate of the new layers over the backbone's.
        weight_decay: Decoupled decay a step, times the learning rate.
        learn_radius: Of the pairs that are learnt from, cells: 10 in IRN, 5 in PSA.
        radius: Of the walk, cells.
        beta: Power of the affinities: 10 in IRN, 8 in PSA.
        steps: Of the walk, which spreads as the root of them: 256 in the public codes, whose maps have 100 cells a side
            and more; 16 spread as far, in proportion, on 32.
        instances: Write `instances/ID.npz` too, of irn: a map for each instance, its class in `class_ids`.
    """

    method: Literal["none", "psa", "irn"] = "none"
    background: Literal["constant", "power"] = "constant"
    confident: tuple[float, float] = (0.3, 0.05)
    crf: CRFConfig = field(default_factory=lambda: CRFConfig())
    backbone: str | None = None
    weights: str | None = "classifier"
    output_stride: int | None = None
    freeze: bool = True
    crop: int = 320
    long_side: tuple[int, int] = (256, 448)
    mirror: Literal["horizontal", "both"] = "horizontal"
    jitter: float = 0.0
    epochs: int = 3
    batch_size: int = 16
    optimizer: Literal["sgd", "adamw"] = "sgd"
    learning_rate: float = 0.01
    head_multiplier: float = 10.0
    weight_decay: float = 1e-4
    learn_radius: int = 5
    radius: int = 5
    beta: float = 10.0
    steps: int = 256
    instances: bool = False


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


@dataclass(frozen=True)
class SegmentConfig:
    """Train a segmenter.

    Attributes:
        supervision: pseudo_masks (of the label stage), or masks: the fully supervised ceiling, the only
            setting under which the training split's masks are read.
        network: A segmenter of `wsseg.segmenters`; `wsseg models` lists them.
        backbone: A network of `wsseg.backbones`; None for the classify stage's with `weights: classifier`, else
            for the network's own.
        output_stride: 32, 16 or 8; None for the network's own.
        weights: None (from scratch), "imagenet", a weights file, the `.keras` file of another segmenter, or
            "classifier": the backbone of the classify stage.
        channels: Of the network's head, fewer for small images or machines; None as published.
        options: What else the network takes (`width` of segnet ...).
        crop: Side of the square training crop, pixels; one that the network takes (`unet_valid`: 12 modulo 16, and
            it labels 184 less).
        long_side: Range that the image's long side is scaled to at random, pixels.
        mirror: Random mirroring while training, as of `classify.mirror`.
        jitter: Strength of the photometric jitter in [0, 1].
        epochs: Passes over the training images.
        batch_size: Images a step.
        optimizer: sgd (momentum 0.9) or adamw.
        learning_rate: At the first step; it falls to 0 by the poly rule, power 0.9.
        head_multiplier: Learning rate of the head over the backbone's.
        weight_decay: Decoupled decay a step, times the learning rate.
        loss: A loss of `wsseg.losses` that needs masks alone: balanced (cross-entropy, foreground and background
            averaged apart), cross_entropy, dice, focal, lovasz_softmax, weight_map ...
        loss_options: What the loss takes (`gamma` of focal ...).
        auxiliary_weight: Of the second head's loss beside the first's, in networks that have one (PSPNet: 0.4;
            torchvision's reference training: 0.5).
        scales: Image scales that are fused when predicting.
        flip: Also the mirrored image when predicting.
        fusion: How scales and mirror images are fused: mean of the probabilities, or max of the scores (as in
            DeepLab v2).
        max_side: A larger image is reduced to a long side of this many pixels to be predicted (and refined by the
            CRF), and the result is resized to the image's own size; null for no limit.
        crf: Dense CRF on the predictions.
    """

    supervision: Literal["pseudo_masks", "masks"] = "pseudo_masks"
    network: str = "deeplab_v3_plus"
    backbone: str | None = None
    output_stride: int | None = None
    weights: str | None = None
    channels: int | None = None
    options: dict[str, Any] = field(default_factory=dict)
    crop: int = 320
    long_side: tuple[int, int] = (256, 448)
    mirror: Literal["horizontal", "both"] = "horizontal"
    jitter: float = 0.3
    epochs: int = 12
    batch_size: int = 16
    optimizer: Literal["sgd", "adamw"] = "sgd"
    learning_rate: float = 0.01
    head_multiplier: float = 10.0
    weight_decay: float = 1e-4
    loss: str = "balanced"
    loss_options: dict[str, Any] = field(default_factory=dict)
    auxiliary_weight: float = 0.4
    scales: tuple[float, ...] = (1.0,)
    flip: bool = True
    fusion: Literal["mean", "max"] = "mean"
    max_side: int | None = 1536
    crf: CRFConfig = field(default_factory=lambda: CRFConfig(preset="none", unary="scores"))


@dataclass(frozen=True)
class EvaluateConfig:
    """Score class maps and pseudo-masks on the training split, the segmenter on the validation split.

    Attributes:
        levels: Background levels of the threshold curve and of the class maps' oracle.
        oracle_levels: Background levels at which the pseudo-masks' oracle makes them again, CRF included;
            empty for no oracle.
    """

    levels: tuple[float, ...] = tuple(round(0.05 * i, 2) for i in range(1, 16))
    oracle_levels: tuple[float, ...] = (0.15, 0.2, 0.25, 0.3, 0.35, 0.4)


@dataclass(frozen=True)
class ReportConfig:
    """Write one page to look at.

    Attributes:
        images: Images shown of each split, the worst first.
    """

    images: int = 12


@dataclass(frozen=True)
class Recipe:
    """A whole run.

    Attributes:
        name: Of the recipe; a run folder belongs to one recipe.
        seed: Of every random choice.
        precision: float32, or mixed_float16 on a GPU.
        jit: Compile with XLA: auto (on a GPU only), true or false.
        ceiling: Also train the same segmenter on the true masks, as the upper bound in the table.
    """

    name: str = "scenes"
    seed: int = 0
    precision: Literal["float32", "mixed_float16"] = "float32"
    jit: Literal["auto"] | bool = "auto"
    ceiling: bool = False
    dataset: DatasetConfig = field(default_factory=DatasetConfig)
    classify: ClassifyConfig = field(default_factory=ClassifyConfig)
    localize: LocalizeConfig = field(default_factory=LocalizeConfig)
    propagate: PropagateConfig = field(default_factory=PropagateConfig)
    label: LabelConfig = field(default_factory=LabelConfig)
    segment: SegmentConfig = field(default_factory=SegmentConfig)
    evaluate: EvaluateConfig = field(default_factory=EvaluateConfig)
    report: ReportConfig = field(default_factory=ReportConfig)
