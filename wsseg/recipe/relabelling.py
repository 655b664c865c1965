"""Options of the relabel stage."""

from dataclasses import dataclass, field

from wsseg.recipe.labelling import CRFConfig


@dataclass(frozen=True)
class RelabelConfig:
    """Self-training: a segmenter learnt from the pseudo-masks labels the training images anew for the next one.

    Attributes:
        rounds: How often; 0 for not at all. Each trains a segmenter with the options of `segment`.
        epochs: Of these segmenters; null for `segment.epochs`. Fewer cost less, and learn less of the masks' mistakes.
        scales: Image scales that are fused when labelling; mirrored images too.
        confidence: Pixels whose probability, after the CRF, is below it become 255 (unsure).
        crf: The dense CRF on the probabilities (`unary` is of no use here).
    """

    rounds: int = 0
    epochs: int | None = None
    scales: tuple[float, ...] = (1.0,)
    confidence: float = 0.0
    crf: CRFConfig = field(default_factory=lambda: CRFConfig(preset="deeplab_v2", unary="scores"))
