"""Options of the segment stage."""

from dataclasses import dataclass, field
from typing import Annotated, Any, Literal

from wsseg.recipe.auto import Auto
from wsseg.recipe.labelling import CRFConfig
from wsseg.recipe.marks import IGNORED_IN_HASH, OMIT_IF_DEFAULT, RenamedFrom
from wsseg.recipe.ranges import SCALES, STRIDE, Range, at_least, from_zero, interval
from wsseg.recipe.training import PlannedTrainingConfig


@dataclass(frozen=True)
class TeacherConfig:
    """Label unsure pixels by a mean teacher during training: see `wsseg.training.mean_teacher`.

    Attributes:
        weight: Weight of the loss on the teacher's labels, beside the loss on the masks; 0 for no teacher.
        momentum: EMA decay per step.
        confidence: Minimum probability of the teacher's class; pixels below it stay unsure.
        warm_up: Share of the training steps before the teacher starts to label.
    """

    weight: Annotated[float, Range("0 for no teacher, or more", lambda x: 0 <= x < 1e3, "try 1")] = 0.0
    momentum: Annotated[float, interval("[0, 1)", "try 0.99")] = 0.99
    confidence: Annotated[float, interval("[0, 1)", "try 0.8")] = 0.8
    warm_up: Annotated[float, interval("[0, 1)", "try 0.25")] = 0.25


@dataclass(frozen=True)
class SegmentConfig(PlannedTrainingConfig):
    """Train a segmenter.

    Attributes:
        train_on: Masks that the segmenter learns from: pseudo_masks (of the label stage), or true_masks (full
            supervision, which reads the masks of the training split).
        network: Name of a segmenter of `wsseg.segmenters`; `wsseg models` lists them. none: no segmenter is trained.
        backbone: Name of a network of `wsseg.backbones`; null for the classify stage's with `weights: classifier`, else
            for the network's own.
        output_stride: Output stride of the backbone: 8, 16 or 32; null for the network's own.
        weights: Initial weights: null (from scratch), "imagenet", a weights file, the `.keras` file of another
            segmenter, or "classifier" (the backbone of the classify stage).
        channels: Number of channels of the network's head; fewer for small images or machines; null as published.
        options: Further options of the network (`width` of segnet ...).
        crop: Side of the square training crop, in pixels; auto: see `classify.crop`. Some networks take only some sizes
            (`unet_valid`: 12 modulo 16, and it labels 184 pixels less).
        enlarge: Factor by which images are enlarged beyond `long_side` or `scale` in training, for small objects; auto
            for the factor, from 1 to 2, that gives the objects of the smallest class, by the masks that are trained on,
            a side of 24 pixels. The scales of prediction stay as they are: those of `auto` reach twice the size too.
        object_crops: Share in [0, 1] of the crops that are placed on an object of the image's mask, each class in it
            equally often; the others lie anywhere. For small objects: a third in nnU-Net.
        loss: Name of a loss of `wsseg.losses` that needs only masks: balanced (cross-entropy, averaged separately over
            foreground and background), cross_entropy, dice, focal, lovasz_softmax, weight_map ...
        loss_options: Options of the loss (`gamma` of focal ...).
        auxiliary_weight: Weight of the auxiliary head's loss, for networks that have such a head (PSPNet: 0.4;
            torchvision's reference training: 0.5).
        teacher: Mean teacher, which labels the pixels whose mask is 255: those that `label.unsure` leaves open, and
            images that `supervision.rest: unlabelled` leaves without a mask. The ceiling trains without it.
        scales: Image scales whose predictions are fused; auto: see `localize.scales`.
        flip: Flipped images: their predictions are fused too.
        fusion: Fusion of scales and flips: mean (of probabilities), or max (of scores, as in DeepLab v2).
        max_side: Maximum long side of an image for prediction and CRF, in pixels; the result of a larger image is
            resized to its own size; null for no limit.
        crf: Dense CRF on the predictions.
    """

    train_on: Annotated[
        Literal["pseudo_masks", "true_masks"], RenamedFrom("supervision", {"masks": "true_masks"})
    ] = "pseudo_masks"
    network: str = "deeplab_v3_plus"
    backbone: str | None = None
    output_stride: Annotated[int | None, STRIDE] = None
    weights: Annotated[str | None, IGNORED_IN_HASH] = None
    channels: Annotated[int | None, at_least(1, "try 256")] = None
    options: dict[str, Any] = field(default_factory=dict)
    jitter: float = 0.3
    head_multiplier: float = 10.0
    enlarge: Annotated[
        float | Auto, Range("from 1 to 8", lambda x: 1 <= x <= 8, "1 for none"), OMIT_IF_DEFAULT
    ] = 1.0
    object_crops: Annotated[float, interval("[0, 1]", "0 for none; try 0.33"), OMIT_IF_DEFAULT] = 0.0
    loss: str = "balanced"
    loss_options: dict[str, Any] = field(default_factory=dict)
    auxiliary_weight: Annotated[float, from_zero("try 0.4", below=1e3)] = 0.4
    teacher: Annotated[TeacherConfig, OMIT_IF_DEFAULT] = field(default_factory=TeacherConfig)
    scales: Annotated[tuple[float, ...] | Auto, SCALES] = (1.0,)
    flip: bool = True
    fusion: Literal["mean", "max"] = "mean"
    max_side: Annotated[
        int | None, Range("at least 32, or null for no limit", lambda n: n >= 32, "try 1536")
    ] = 1536
    crf: CRFConfig = field(default_factory=lambda: CRFConfig(preset="none", unary="scores"))
