"""Options of the stages that make class maps: classify and localize."""

from dataclasses import dataclass, field
from typing import Annotated, Any, Literal

from wsseg.recipe.auto import Auto
from wsseg.recipe.marks import IGNORED_IN_HASH, OMIT_IF_DEFAULT
from wsseg.recipe.ranges import SCALES, STRIDE, Range, at_least, interval
from wsseg.recipe.training import PlannedTrainingConfig


@dataclass(frozen=True)
class ClassifyConfig(PlannedTrainingConfig):
    """Train a classifier from image-level labels.

    Attributes:
        head: Name of a classifier of `wsseg.classifiers`: gap, nin, acol or seam.
        options: Further options of the head (`channels` and `dropout` of nin, `branch_channels` and `erase_threshold`
            of acol, `view_scale` and `dropout` of seam; `activation: softmax` where every image has one label).
        backbone: Name of a network of `wsseg.backbones`.
        output_stride: Output stride of the features that the class maps are made from: 8, 16 or 32.
        weights: Initial weights: null (from scratch), "imagenet", or a weights file.
        erase: Largest side of a rectangle that is erased from each crop, as a share of the crop's side; 0 for none.
        loss: Loss: cross_entropy (mean sigmoid cross-entropy, or softmax if the head uses it), or generalised (for
            labels that are partly wrong; see `wsseg.losses.generalised_label_loss`).
        loss_options: Options of the generalised loss (`q`).
    """

    head: str = "gap"
    options: dict[str, Any] = field(default_factory=dict)
    backbone: str = "mobilenet_0.75"
    output_stride: Annotated[int, STRIDE] = 16
    weights: Annotated[str | None, IGNORED_IN_HASH] = None
    jitter: float = 0.3
    erase: Annotated[float, interval("[0, 1)", "0 for none; try 0.5")] = 0.0
    epochs: int | Auto = 8
    loss: Annotated[Literal["cross_entropy", "generalised"], OMIT_IF_DEFAULT] = "cross_entropy"
    loss_options: Annotated[dict[str, Any], OMIT_IF_DEFAULT] = field(default_factory=dict)


@dataclass(frozen=True)
class LocalizeConfig:
    """Make class maps with the classifier.

    Attributes:
        explainer: Name of an explainer of `wsseg.explainers`; acol for the head acol, seam (or cam) for seam.
        scales: Image scales whose maps are summed (IRN: 1, 0.5, 1.5, 2); auto for 1, 1.5 and 2 times the
            factor that brings the median long side of the training images to 320 pixels.
        flip: Flipped images: their maps are summed too.
        output_stride: Output stride of the classifier while it explains; null for the one of its training. A smaller
            stride gives finer maps from the same weights.
        map_stride: Stride of the stored maps: they have 1/map_stride of the image's size (IRN: 4).
        scaling: Scaling of each class's map to [0, 1]: max (division by the maximum, as in IRN), or range (the minimum
            is subtracted first, as in PSA and SEAM).
        absent: Share in [0, 1] of the evidence for absent classes that is moved to the maps of the present classes; 0
            for none (see `wsseg.refiners.absent_evidence`). It helps with classes that share parts, such as animals.
            Only for cam, whose maps have one scale for all classes.
        batch_size: Number of images per step; images of one batch are padded to one shape.
    """

    explainer: str = "cam"
    scales: Annotated[tuple[float, ...] | Auto, SCALES] = (1.0, 0.5, 1.5, 2.0)
    flip: bool = True
    output_stride: Annotated[int | None, Range("8, 16 or 32, or null", STRIDE.holds)] = None
    map_stride: Annotated[int, at_least(1)] = 4
    scaling: Annotated[Literal["max", "range"], OMIT_IF_DEFAULT] = "max"
    absent: Annotated[float, interval("[0, 1]", "0 for none; try 0.5"), OMIT_IF_DEFAULT] = 0.0
    batch_size: Annotated[int, at_least(1)] = 8
