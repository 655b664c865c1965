"""Options of the propagate stage."""

from dataclasses import dataclass, field
from typing import Annotated, Literal

from wsseg.recipe.labelling import CRFConfig
from wsseg.recipe.marks import IGNORED_IN_HASH
from wsseg.recipe.ranges import STRIDE, Range, from_zero, positive
from wsseg.recipe.training import TrainingConfig

RADIUS = Range("at least 2 cells", lambda n: n >= 2, "try 5")


@dataclass(frozen=True)
class PropagateConfig(TrainingConfig):
    """Spread the class maps over the image by learned affinities and a random walk.

    Attributes:
        method: Affinity network: none (the class maps stay as they are), psa (AffinityNet) or irn (IRNet's class
            boundaries).
        background: Kind of background score for the confident labels; see `label.background`.
        confident: Background levels [first, second] of the confident labels: pixels that are foreground at the first
            level are foreground, pixels that are background at the second are background, all others are unknown. IRN:
            [0.3, 0.05] with a constant background; PSA: [4, 32] with power.
        crf: Dense CRF on the confident labels.
        backbone: Name of a network of `wsseg.backbones`; null for the classify stage's, with `weights: classifier`.
        weights: Initial weights: null (from scratch), "imagenet", a weights file, or "classifier" (the backbone of the
            classify stage).
        output_stride: Output stride of the backbone: 8, 16 or 32; null for the classifier's.
        freeze: Frozen backbone, whose weights do not learn: true as in IRN, false as in PSA.
        head_multiplier: Learning rate of the new layers, as a multiple of the backbone's.
        learn_radius: Radius in cells of the pixel pairs that the network learns from: 10 in IRN, 5 in PSA.
        radius: Radius in cells of the random walk's steps.
        beta: Exponent of the affinities: 10 in IRN, 8 in PSA.
        steps: Number of steps of the random walk; its reach grows with their square root. The public codes take 256 for
            maps with 100 cells per side and more; on maps with 32 cells, 16 steps reach as far in proportion.
        instances: Instance maps of irn, written to `instances/ID.npz`: a map per instance, its class in `class_ids`.
    """

    method: Literal["none", "psa", "irn"] = "none"
    background: Literal["constant", "power"] = "constant"
    confident: tuple[float, float] = (0.3, 0.05)
    crf: CRFConfig = field(default_factory=lambda: CRFConfig())
    backbone: str | None = None
    weights: Annotated[str | None, IGNORED_IN_HASH] = "classifier"
    output_stride: Annotated[int | None, STRIDE] = None
    freeze: bool = True
    epochs: int = 3
    head_multiplier: float = 10.0
    learn_radius: Annotated[int, RADIUS] = 5
    radius: Annotated[int, RADIUS] = 5
    beta: Annotated[float, positive("try 10", below=float("inf"))] = 10.0
    steps: Annotated[int, from_zero("try 256")] = 256
    instances: bool = False
