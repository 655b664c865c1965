"""Build the parts of Faster and Mask R-CNN."""

import dataclasses
from pathlib import Path
from typing import Literal

import keras
from keras import layers

from wsseg import backbones
from wsseg.backbones.pyramid import one_a_stride, pyramid
from wsseg.detectors.anchors import RATIOS, anchors
from wsseg.detectors.heads import box_head, mask_head, proposal_head
from wsseg.detectors.rcnn import Parts
from wsseg.errors import InputError, is_whole, require_whole
from wsseg.layers.roi_align import RoIAlign
from wsseg.layers.roi_pool import RoIPool

BOX_SIDE, MASK_SIDE = 7, 14
"""Bins per side of the features that the heads get (He et al. 2017, figure 4, right)."""


def rcnn(
    num_classes: int,
    input_size: tuple[int, int],
    backbone: str = "resnet50",
    weights: str | Path | None = None,
    use_pyramid: bool = True,
    pooling: Literal["align", "pool"] = "align",
    output_stride: int = 16,
    channels: int = 256,
    head_channels: int = 1024,
    mask_channels: int | None = 256,
    anchor_sides: tuple[float, ...] | None = None,
    ratios: tuple[float, ...] = RATIOS,
    proposals: int = 1000,
    regions: int = 512,
    least_score: float = 0.05,
    nms: float = 0.5,
    detections: int = 100,
    freeze_norms: bool | None = None,
) -> tuple[Parts, str]:
    """Build Faster R-CNN, or Mask R-CNN with a head that predicts a 28 x 28 mask for each region.

    With a pyramid: the levels from stride 4 to the backbone's last level, and one more level for the proposals, which
    is every other cell of the last; RoIAlign; two dense layers with 1,024 channels. With torchvision's form of
    ResNet-50 and 91 classes it has the 41,755,286 parameters of torchvision's `fasterrcnn_resnet50_fpn`, or the
    44,401,393 of `maskrcnn_resnet50_fpn`, without batch norms (which are constants there).

    With one feature map: the backbone's last features at `output_stride`. Faster R-CNN was published with VGG-16,
    RoIPool and 4,096 channels: `use_pyramid=False, pooling="pool", backbone="vgg16", head_channels=4096, channels=512`.

    Args:
        num_classes: Number of classes, including the background.
        input_size: `(H, W)`, multiples of 32.
        backbone: Name of a network in `wsseg.backbones`.
        weights: Weights of the backbone: None, "imagenet", or a weights file.
        use_pyramid: Whether to use a feature pyramid; False for one feature map.
        pooling: "align" for RoIAlign, or "pool" for RoIPool, which needs `use_pyramid=False`.
        output_stride: Output stride of the backbone if `use_pyramid` is False.
        channels: Number of channels of the pyramid and of the proposal head's convolution.
        head_channels: Number of channels of the dense layers.
        mask_channels: Number of channels of the mask head; None for no masks.
        anchor_sides: Sides of square anchors in units of the stride; None for (8,) with a pyramid and (8, 16, 32) with
            one feature map.
        ratios: Ratios of width to height of the anchors.
        proposals: Number of proposals per image in detection; twice as many in training, from which regions are drawn.
        regions: Number of regions per image that the heads are trained on.
        least_score: Minimum score of a detection, in [0, 1].
        nms: Maximum overlap (IoU) of two detections of one class, in [0, 1]; above it, the worse one is removed.
        detections: Maximum number of detections per image.
        freeze_norms: Whether the backbone's batch norms keep their statistics and scales; None for True if `weights`
            are given.

    Returns:
        The parts, and the backbone's full name.

    Raises:
        InputError: The network does not support a value.

    References:
        Ren et al., Faster R-CNN, NeurIPS 2015. Lin et al., Feature Pyramid Networks, CVPR 2017, section 4. He et al.,
        Mask R-CNN, ICCV 2017.
    """
    options = {
        "num_classes": num_classes, "channels": channels, "head_channels": head_channels, "proposals": proposals,
        "regions": regions, "detections": detections, "mask_channels": 1 if mask_channels is None else mask_channels,
    }  # fmt: skip
    for name, value in options.items():
        require_whole(name, value, least=2 if name == "num_classes" else 1)
    for name, value in (("least_score", least_score), ("nms", nms)):
        if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= 1:
            raise InputError(f"`{name}` must be a number from 0 to 1; got {value!r}")
    if pooling not in ("align", "pool"):
        raise InputError(f"`pooling` must be align or pool; got {pooling!r}")
    if pooling == "pool" and use_pyramid:
        raise InputError(
            "`pooling: pool` works on one feature map; set `use_pyramid: false` too, or use `pooling: align`"
        )
    size = _checked_size(input_size)
    if use_pyramid:
        trunk, network, strides, pooled = _pyramid_trunk(backbone, weights, size, channels)
        sides = anchor_sides or (8.0,)
    else:
        network = backbones.create(backbone, output_stride, weights=weights, input_size=size)
        level = max(network.output)
        trunk = keras.Model(network.inputs, [network.output[level]], name="trunk")
        strides = pooled = (output_stride,)
        sides = anchor_sides or (8.0, 16.0, 32.0)
    if freeze_norms or (freeze_norms is None and weights is not None):
        for layer in network.layers:
            if isinstance(layer, layers.BatchNormalization):
                layer.trainable = False
    made = anchors(size, strides, sides, ratios)
    each = len(sides) * len(ratios)
    for stride, one, features in zip(strides, made, trunk.outputs):
        cells = features.shape[1] * features.shape[2]
        if len(one) != cells * each:
            raise InputError(
                f"`input_size` {size} is not divided into whole cells of {stride} pixels by {backbone}; try another"
            )
    width = trunk.outputs[0].shape[-1]
    parts = Parts(
        trunk,
        tuple(layer.name for layer in network.layers),
        made,
        len(pooled),
        proposal_head(width, channels, each),
        RoIPool(strides[0], BOX_SIDE, name="pool_boxes")
        if pooling == "pool"
        else RoIAlign(pooled, BOX_SIDE, name="align_boxes"),
        box_head(BOX_SIDE, width, head_channels, num_classes),
    )
    if mask_channels is not None:
        align = RoIAlign(pooled, MASK_SIDE, name="align_masks")
        parts = dataclasses.replace(
            parts, pool_masks=align, mask_head=mask_head(MASK_SIDE, width, mask_channels, num_classes)
        )
    return parts, backbones.full_name(network)


def _checked_size(input_size) -> tuple[int, int]:
    size = tuple(input_size) if isinstance(input_size, tuple | list) else ()
    if len(size) != 2 or not all(is_whole(side, 32) and side % 32 == 0 for side in size):
        raise InputError(
            f"`input_size` must be (height, width), multiples of 32; got {input_size!r}; try (512, 512): "
            "`wsseg.detectors.inference` resizes images of other sizes to it"
        )
    return size


def _pyramid_trunk(backbone: str, weights, size: tuple[int, int], channels: int):
    """Return the trunk, its backbone, the strides of its maps, and the strides of the maps that are pooled."""
    levels = one_a_stride(backbone)
    network = backbones.create(backbone, max(levels.values()), weights=weights, input_size=size)
    features = pyramid(network, list(levels), channels)
    maps = [features[level] for level in levels]
    last = layers.MaxPooling2D(1, strides=2, padding="same", name="one_level_more")(maps[-1])
    strides = tuple(levels.values())
    trunk = keras.Model(network.inputs, [*maps, last], name="trunk")
    return trunk, network, (*strides, 2 * strides[-1]), strides
