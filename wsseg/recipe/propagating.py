"""Options of the propagate stage."""

from dataclasses import dataclass, field
from typing import Literal

from wsseg.recipe.labelling import CRFConfig


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
