"""The top-down pathway of a feature pyramid network, on any backbone."""

import keras
from keras import layers

from wsseg.backbones.builder import level_strides
from wsseg.backbones.placement import place
from wsseg.layers.nearest_resize import NearestResizeTo

FINEST = 4  # stride of the finest level


def one_a_stride(backbone: str) -> dict[str, int]:
    """Return the levels that a pyramid uses, finest first, with their strides in a backbone at its full stride.

    Of several levels with the same stride (`plain`) only the first is used.

    Example:
        >>> one_a_stride("resnet50")
        {'level_2': 4, 'level_3': 8, 'level_4': 16, 'level_5': 32}
    """
    strides = level_strides(backbone)
    found: dict[int, str] = {}
    for level in sorted(strides):
        if strides[level] >= FINEST:
            found.setdefault(strides[level], level)
    return {level: stride for stride, level in found.items()}


def pyramid(network: keras.Model, levels: list[str], channels: int) -> dict[str, keras.KerasTensor]:
    """Add the pathway to a backbone.

    Each level goes through a lateral 1x1 convolution. From the coarsest level on, the sum so far is resized by nearest
    neighbour to the next finer level and added to it. A 3x3 convolution smooths each sum.

    Args:
        network: A backbone (`wsseg.backbones.create`).
        levels: Levels from `one_a_stride`, finest first.
        channels: Channels of each level of the pyramid.

    Returns:
        Each level's features, `(B, h, w, channels)`.

    References:
        Lin et al., Feature Pyramid Networks for Object Detection, CVPR 2017, section 3.
    """
    found, merged, above = {}, None, None
    for level in reversed(levels):
        number = level.removeprefix("level_")
        lateral = layers.Conv2D(channels, 1, name=f"lateral_{number}")(network.output[level])
        if merged is not None:
            resize = NearestResizeTo(**place(network, above, level), name=f"top_down_{number}")
            lateral = layers.Add(name=f"merge_{number}")([lateral, resize([merged, lateral])])
        merged, above = lateral, level
        found[level] = layers.Conv2D(channels, 3, padding="same", name=f"smooth_{number}")(merged)
    return found
