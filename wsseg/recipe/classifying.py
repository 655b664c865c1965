"""Options of the stages that make class maps: classify and localize."""

from dataclasses import dataclass, field
from typing import Any, Literal


@dataclass(frozen=True)
class ClassifyConfig:
    """Train a classifier from image-level labels.

    Attributes:
        head: A classifier of `wsseg.classifiers`: gap, nin, acol or seam.
        options: What else the head takes (`channels` and `dropout` of nin, `branch_channels` and `erase_threshold` of
            acol, `view_scale` and `dropout` of seam; `activation: softmax` where every image has one label).
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
        loss: cross_entropy (mean sigmoid, or softmax where the head is), or generalised: for labels that are partly
            wrong (`wsseg.losses.generalised_label_loss`).
        loss_options: What the generalised loss takes (`q`).
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
    loss: Literal["cross_entropy", "generalised"] = "cross_entropy"
    loss_options: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class LocalizeConfig:
    """Turn the classifier into class maps.

    Attributes:
        explainer: An explainer of `wsseg.explainers`; acol for the head acol, seam (or cam) for seam.
        scales: Image scales whose maps are summed (IRN: 1, 0.5, 1.5, 2).
        flip: Also the mirrored image.
        output_stride: Of the classifier while it explains, or None for the one it was trained at; a
            smaller one gives finer maps from the same weights.
        map_stride: Stored maps have 1/map_stride of the image's size (IRN: 4).
        scaling: Of each class's map to [0, 1]: max (divided by its maximum: IRN), or range (its minimum taken off
            before: PSA, SEAM).
        absent: Share of what the maps of classes that an image does not have show, which goes to the maps of those
            that it has (`wsseg.refiners.absent_evidence`); 0 for none. Only with cam, whose maps are on one scale for
            all classes. For classes that look alike in part, such as animals.
        batch_size: Images a step; those of one batch share a padded shape.
    """

    explainer: str = "cam"
    scales: tuple[float, ...] = (1.0, 0.5, 1.5, 2.0)
    flip: bool = True
    output_stride: int | None = None
    map_stride: int = 4
    scaling: Literal["max", "range"] = "max"
    absent: float = 0.0
    batch_size: int = 8
