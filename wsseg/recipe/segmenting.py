"""Options of the segment stage."""

from dataclasses import dataclass, field
from typing import Any, Literal

from wsseg.recipe.labelling import CRFConfig


@dataclass(frozen=True)
class TeacherConfig:
    """A mean teacher, which labels unsure pixels as training goes on: see `wsseg.training.mean_teacher`.

    Attributes:
        weight: Of the loss on what the teacher labels, beside that on the masks; 0 for no teacher.
        momentum: Of the average of weights that the teacher is, a step.
        confidence: Pixels for whose class the teacher has a lower probability stay unsure.
        warm_up: Share of the training's steps in which the teacher does not label yet.
    """

    weight: float = 0.0
    momentum: float = 0.99
    confidence: float = 0.8
    warm_up: float = 0.25


@dataclass(frozen=True)
class SegmentConfig:
    """Train a segmenter.

    Attributes:
        supervision: pseudo_masks (of the label stage), or masks: the fully supervised ceiling, the only
            setting under which the training split's masks are read.
        network: A segmenter of `wsseg.segmenters`; `wsseg models` lists them. none: no segmenter is trained.
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
        teacher: Labels the pixels whose mask is 255: what `label.unsure` leaves open, and images that
            `supervision.rest: unlabelled` leaves without a mask. Not for the ceiling, whose masks leave nothing open.
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
    teacher: TeacherConfig = field(default_factory=TeacherConfig)
    scales: tuple[float, ...] = (1.0,)
    flip: bool = True
    fusion: Literal["mean", "max"] = "mean"
    max_side: int | None = 1536
    crf: CRFConfig = field(default_factory=lambda: CRFConfig(preset="none", unary="scores"))
