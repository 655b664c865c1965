"""Options of the detect stage."""

from dataclasses import dataclass, field
from typing import Annotated, Any, Literal

from wsseg.recipe.marks import IGNORED_IN_HASH
from wsseg.recipe.ranges import Range, multiple_of
from wsseg.recipe.training import TrainingConfig

SIDE = multiple_of(32, "try 512")


@dataclass(frozen=True)
class DetectConfig(TrainingConfig):
    """Train a detector on the pseudo-instances that IRNet separates (`propagate.instances`), or on the true instances.

    Attributes:
        network: Name of a detector of `wsseg.detectors`: mask_rcnn or faster_rcnn; none: no detector is trained.
        backbone: Name of a network of `wsseg.backbones`; null for the classify stage's with `weights: classifier`, else
            for resnet50.
        weights: Initial weights: null (from scratch), "imagenet", a weights file, or "classifier" (the backbone of the
            classify stage).
        options: Further options of the network (`channels`, `proposals` ...; see `wsseg.detectors.builder`).
        crop: Side of the square training crop, in pixels; a multiple of 32.
        size: Side in pixels of the square that each image is fitted into for prediction; a multiple of 32; null for
            `crop`.
        objects: Maximum number of objects per training image; the largest are kept.
        head_multiplier: Learning rate of all layers outside the backbone, as a multiple of the backbone's.
    """

    network: Literal["none", "mask_rcnn", "faster_rcnn"] = "none"
    backbone: str | None = None
    weights: Annotated[str | None, IGNORED_IN_HASH] = None
    options: dict[str, Any] = field(default_factory=dict)
    crop: Annotated[int, SIDE] = 512
    size: Annotated[int | None, SIDE] = None
    long_side: tuple[int, int] = (384, 640)
    objects: Annotated[int, Range("1 or more", lambda n: n >= 1, "try 50")] = 50
    batch_size: int = 8
