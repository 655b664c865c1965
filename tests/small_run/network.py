"""A backbone `tiny` of five convolutions: traced in a moment, and it learns enough to make uneven maps."""

import keras
from keras import layers

from wsseg.backbones import builder
from wsseg.backbones.table import NETWORKS, Network

CHANNELS = (8, 16, 24, 32, 48)


def tiny_net(include_top: bool, weights: None, input_tensor=None) -> keras.Model:
    """As a function of `keras.applications`, of which the backbones' table names one."""
    features = input_tensor
    for level, channels in enumerate(CHANNELS, 1):
        convolution = layers.Conv2D(channels, 3, 2, "same", use_bias=False, name=f"block_{level}_conv")
        features = convolution(features)
        features = layers.BatchNormalization(momentum=0.8, name=f"block_{level}_norm")(features)
        features = layers.ReLU(name=f"block_{level}_relu")(features)
    return keras.Model(keras.utils.get_source_inputs(input_tensor), features, name="tiny")


def register() -> None:
    """Add `tiny` to the backbones of this process."""
    keras.applications.TinyNet = tiny_net
    levels = {f"level_{level}": f"block_{level}_relu" for level in range(1, 6)}
    NETWORKS["tiny"] = Network("TinyNet", "tf", levels)
    if "tiny" not in builder.NAMES:
        builder.NAMES = (*builder.NAMES, "tiny")
