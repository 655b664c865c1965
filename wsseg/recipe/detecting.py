"""Options of the detect stage."""

from dataclasses import dataclass, field
from typing import Any, Literal


@dataclass(frozen=True)
class DetectConfig:
    """Train a detector on the objects that IRNet told apart (`propagate.instances`), or on the true ones.

    Attributes:
        network: none, or a detector of `wsseg.detectors`: mask_rcnn or faster_rcnn.
        backbone: A network of `wsseg.backbones`; None for the classify stage's with `weights: classifier`, else for
            resnet50.
        weights: None (from scratch), "imagenet", a weights file, or "classifier": the backbone of the classify stage.
        options: What else the network takes (`channels`, `proposals` ...; see `wsseg.detectors.builder`).
        crop: Side of the square training crop, pixels: a multiple of 32.
        size: Side of the square that an image is fitted into to be looked at; None for `crop`.
        long_side: Range that the image's long side is scaled to at random, pixels.
        mirror: Random mirroring, as of `classify.mirror`.
        jitter: Strength of the photometric jitter in [0, 1].
        objects: The most of one training image; of more, the largest.
        epochs: Passes over the training images.
        batch_size: Images a step.
        optimizer: sgd (momentum 0.9) or adamw.
        learning_rate: At the first step; it falls to 0 by the poly rule, power 0.9.
        head_multiplier: Learning rate of all but the backbone over the backbone's.
        weight_decay: Decoupled decay a step, times the learning rate.
    """

    network: Literal["none", "mask_rcnn", "faster_rcnn"] = "none"
    backbone: str | None = None
    weights: str | None = None
    options: dict[str, Any] = field(default_factory=dict)
    crop: int = 512
    size: int | None = None
    long_side: tuple[int, int] = (384, 640)
    mirror: Literal["horizontal", "both"] = "horizontal"
    jitter: float = 0.0
    objects: int = 50
    epochs: int = 12
    batch_size: int = 8
    optimizer: Literal["sgd", "adamw"] = "sgd"
    learning_rate: float = 0.01
    head_multiplier: float = 1.0
    weight_decay: float = 1e-4
