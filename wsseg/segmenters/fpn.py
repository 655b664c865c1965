"""Feature pyramid network with a segmentation head: all levels are upsampled to stride 4 and added."""

from pathlib import Path

import keras
from keras import layers

from wsseg import backbones
from wsseg.backbones.placement import place
from wsseg.backbones.pyramid import one_a_stride, pyramid
from wsseg.layers.bilinear_resize import BilinearResizeTo
from wsseg.layers.legal_sizes import BACKBONE_SIZES
from wsseg.segmenters.segmenter import Graph

GROUPS, CHANNELS_A_GROUP = 32, 4  # group normalisation: the paper's 128 channels form 32 groups


def fpn(
    num_classes: int,
    backbone: str = "resnet50",
    weights: str | Path | None = None,
    input_size: tuple[int, int] | None = None,
    channels: int = 256,
    head_channels: int = 128,
) -> Graph:
    """Build the semantic branch of Panoptic FPN on any backbone at its full stride.

    Top-down pathway: starting at the coarsest level, each level is repeated to twice its size and added to a 1x1
    lateral convolution of the next finer level; a 3x3 convolution smooths the sum. Head: each level goes through
    3x3 convolution, group norm, ReLU and bilinear doubling until stride 4 (three times from stride 32; the level of
    stride 4 once, without doubling). The sum of all levels is classified and upsampled to the image's size.

    Args:
        num_classes: Number of classes, including the background.
        backbone: Name of a network in `wsseg.backbones`; if levels have the same stride (`plain`), the first is used.
        weights: Weights of the backbone: None, "imagenet", or a weights file.
        input_size: `(H, W)`, or None for any size.
        channels: Number of channels of the pyramid's levels.
        head_channels: Number of channels of the head. Group norm has 32 groups, or fewer if a group would have less
            than 4 channels.

    References:
        Kirillov et al., Panoptic Feature Pyramid Networks, CVPR 2019, section 3.1 and figure 3. Lin et al.,
        Feature Pyramid Networks for Object Detection, CVPR 2017, section 3.
    """
    strides = one_a_stride(backbone)
    network = backbones.create(backbone, max(strides.values()), weights=weights, input_size=input_size)
    levels = list(strides)
    features = pyramid(network, levels, channels)
    parts = [_head(network, features, levels[: index + 1], head_channels) for index in range(len(levels))]
    image = network.inputs[0]
    scores = layers.Conv2D(num_classes, 1, dtype="float32", name="scores")(layers.Add(name="head_sum")(parts))
    to_image = BilinearResizeTo(**place(network, levels[0]), name="logits", dtype="float32")
    return Graph(image, to_image([scores, image]), network, sizes=BACKBONE_SIZES)


def _head(
    network: keras.Model, features: dict[str, keras.KerasTensor], levels: list[str], channels: int
) -> keras.KerasTensor:
    """Upsample the last of `levels` to the size of the first, with a convolution before each doubling."""
    *finer, level = levels
    prefix = f"head_{level.removeprefix('level_')}"
    if not finer:
        return _convolution(features[level], channels, f"{prefix}_0")
    tensor = features[level]
    for step, target in enumerate(reversed(finer)):
        tensor = _convolution(tensor, channels, f"{prefix}_{step}")
        resize = BilinearResizeTo(**place(network, level, target), name=f"{prefix}_{step}_double")
        tensor, level = resize([tensor, features[target]]), target
    return tensor


def _convolution(tensor: keras.KerasTensor, channels: int, name: str) -> keras.KerasTensor:
    most = max(min(GROUPS, channels // CHANNELS_A_GROUP), 1)
    groups = max(count for count in range(1, most + 1) if channels % count == 0)
    tensor = layers.Conv2D(
        channels, 3, padding="same", use_bias=False, kernel_initializer="he_normal", name=name
    )(tensor)
    tensor = layers.GroupNormalization(groups, epsilon=1e-5, name=f"{name}_norm")(tensor)
    return layers.ReLU(name=f"{name}_relu")(tensor)
