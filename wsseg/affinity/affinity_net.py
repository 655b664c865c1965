"""AffinityNet: features that are similar where two neighbouring pixels belong to the same class."""

from pathlib import Path

import keras
from keras import layers

from wsseg import backbones
from wsseg.affinity.levels import on_one_grid

CHANNELS = {"level_3": 64, "level_4": 128, "level_5": 256}


def affinity_net(
    backbone: str,
    weights: str | Path | None = None,
    output_stride: int = 8,
    input_size: tuple[int, int] | None = None,
    frozen: bool = False,
) -> keras.Model:
    """Build AffinityNet on any backbone.

    Each of the last three levels goes through a 1x1 convolution (64, 128, 256 channels) and ELU. The results are
    resized to the grid of the first of these levels, concatenated, and mixed by a 1x1 convolution with 448 channels and
    ELU. `wsseg.refiners.affinity.feature_affinity` computes the affinity of two cells from these features.

    Args:
        backbone: A network of `wsseg.backbones`.
        weights: Weights of the backbone: None, "imagenet", or a weights file.
        output_stride: Output stride of the backbone: 8 (as published), 16 or 32.
        input_size: `(H, W)`, or None for any size.
        frozen: Whether the backbone is frozen; in the published network it is trained.

    Returns:
        A functional model: `(B, H, W, 3)` RGB in [0, 255] -> `(B, H / 8, W / 8, 448)` float32.

    Example:
        >>> affinity_net("mobilenet_0.25", input_size=(64, 64)).output_shape
        (None, 8, 8, 448)

    References:
        Ahn and Kwak, Learning Pixel-level Semantic Affinity with Image-level Supervision for Weakly Supervised Semantic
        Segmentation, CVPR 2018, section 3.2 and figure 3; the ELUs are those of its public code.
    """
    network = backbones.create(backbone, output_stride, weights=weights, input_size=input_size)
    if frozen:
        for layer in network.layers:
            layer.trainable = False
    parts = []
    for level, channels in CHANNELS.items():
        convolution = layers.Conv2D(channels, 1, use_bias=False, activation="elu", name=f"affinity_{level}")
        made = convolution(network.output[level])
        parts.append(on_one_grid(network, level, "level_3", made, name=f"affinity_{level}_resized"))
    joined = layers.Concatenate(name="affinity_levels")(parts)
    mix = layers.Conv2D(sum(CHANNELS.values()), 1, use_bias=False, activation="elu", name="affinity_mix")
    features = layers.Activation("linear", dtype="float32", name="affinity_features")(mix(joined))
    return keras.Model(network.inputs[0], features, name="affinity_net")
