"""IRNet: class boundaries, and the displacement of each pixel to the centre of its instance."""

from pathlib import Path
from typing import Any

import keras
from keras import layers

from wsseg import backbones
from wsseg.affinity.levels import on_one_grid
from wsseg.layers.mean_shift import MeanShift

EDGE_CHANNELS, EDGE_GROUPS = 32, 4
WAY = {
    "level_2": (128, 16),
    "level_3": (256, 16),
    "level_4": (256, 16),
    "level_5": (256, 16),
}
"""Level -> channels and groups of the displacement branch."""


def irnet(
    backbone: str,
    weights: str | Path | None = None,
    output_stride: int = 16,
    input_size: tuple[int, int] | None = None,
    frozen: bool = True,
) -> keras.Model:
    """Build IRNet on any backbone.

    Boundaries: each level goes through a 1x1 convolution (32 channels), group norm and ReLU. The results are resized to
    stride 4 and concatenated, and a 1x1 convolution gives one logit. Displacements: each level goes through a 1x1
    convolution, group norm and ReLU. The levels from stride 8 on are concatenated at stride 8, mixed, resized to stride
    4, concatenated with the level of stride 4 and mixed. A 1x1 convolution then gives two numbers: cells down and
    right. `MeanShift` subtracts their mean over the training images, once it is measured.

    Args:
        backbone: A network of `wsseg.backbones`. The public code also has a branch for the output of the first
            convolution, pooled to stride 4, with 32 and 64 channels; here the first level is that of stride 4.
        weights: Weights of the backbone: None, "imagenet", or a weights file.
        output_stride: Output stride of the backbone: 16 (as published), 8 or 32.
        input_size: `(H, W)`, or None for any size.
        frozen: Whether the backbone is frozen, as published.

    Returns:
        A functional model: `(B, H, W, 3)` RGB in [0, 255] -> `(B, H / 4, W / 4, 3)` float32: the boundary logit, and
        the displacement down and right, in cells.

    Example:
        >>> irnet("mobilenet_0.25", input_size=(64, 64)).output_shape
        (None, 16, 16, 3)

    References:
        Ahn et al., Weakly Supervised Learning of Instance Segmentation with Inter-pixel Relations, CVPR 2019,
        section 3.2 and figure 3; channels and groups are those of its public code (`net/resnet50_irn.py`).
    """
    network = backbones.create(backbone, output_stride, weights=weights, input_size=input_size)
    if frozen:
        for layer in network.layers:
            layer.trainable = False
    levels = list({id(network.output[level]): level for level in reversed(WAY)}.values())[
        ::-1
    ]  # each tensor once

    edges = []
    for level in levels:
        tensor = _unit(network.output[level], EDGE_CHANNELS, EDGE_GROUPS, f"edge_{level}")
        edges.append(on_one_grid(network, level, "level_2", tensor, f"edge_{level}_resized"))
    boundary = layers.Conv2D(1, 1, name="edge")(layers.Concatenate(name="edge_levels")(edges))

    coarse = []
    for level in levels[1:]:
        tensor = _unit(network.output[level], *WAY[level], f"way_{level}")
        coarse.append(on_one_grid(network, level, "level_3", tensor, f"way_{level}_resized"))
    mixed = _unit(layers.Concatenate(name="way_coarse_levels")(coarse), 256, 16, "way_coarse")
    fine = _unit(network.output["level_2"], *WAY["level_2"], "way_level_2")
    joined = [fine, on_one_grid(network, "level_3", "level_2", mixed, "way_coarse_resized")]
    mixed = _unit(layers.Concatenate(name="way_levels")(joined), 256, 16, "way_mix")
    way = MeanShift(name="way")(layers.Conv2D(2, 1, use_bias=False, name="way_uncentred")(mixed))

    both = layers.Concatenate(name="edge_and_way", dtype="float32")([boundary, way])
    return keras.Model(network.inputs[0], both, name="irnet")


def _unit(tensor: Any, channels: int, groups: int, name: str) -> Any:
    """Apply a 1x1 convolution, group norm and ReLU."""
    tensor = layers.Conv2D(channels, 1, use_bias=False, name=f"{name}_conv")(tensor)
    return layers.ReLU(name=f"{name}_relu")(layers.GroupNormalization(groups, name=f"{name}_norm")(tensor))
