"""Atrous spatial pyramid pooling of DeepLab v3 and v3+: parallel atrous convolutions and image pooling."""

import keras
from keras import layers

from wsseg.layers.atrous_convolution import AtrousConvolution2D
from wsseg.layers.bilinear_resize import BilinearResizeTo

RATES = {8: (12, 24, 36), 16: (6, 12, 18), 32: (3, 6, 9)}
"""Atrous rates by output stride: v3's (6, 12, 18) at 16, doubled at 8 (Chen et al. 2017, section 3.3)."""

MOMENTUM = 0.9
"""Momentum of the running statistics: Keras' own 0.99 needs about 500 steps, more than a short training has."""


def convolution(tensor, channels: int, name: str, kernel: int = 1, rate: int = 1, separable: bool = False):
    """Apply a convolution (or a depthwise and a pointwise one), batch norm and ReLU to a symbolic tensor.

    Args:
        tensor: `(B, h, w, C)`.
        channels: Channels of the result.
        name: Prefix of the layers' names.
        kernel: Side of the window.
        rate: Atrous rate.
        separable: Whether a depthwise and then a pointwise convolution are used, each with its own batch norm and
            ReLU (Chen et al. 2018, section 3.1).
    """
    if separable:
        depthwise = layers.DepthwiseConv2D(
            kernel, padding="same", dilation_rate=rate, use_bias=False, name=f"{name}_depthwise"
        )
        tensor = layers.BatchNormalization(momentum=MOMENTUM, epsilon=1e-5, name=f"{name}_depthwise_bn")(
            depthwise(tensor)
        )
        tensor = layers.ReLU(name=f"{name}_depthwise_relu")(tensor)
        kernel, rate = 1, 1
    tensor = AtrousConvolution2D(
        channels, kernel, rate, use_bias=False, kernel_initializer="he_normal", name=name
    )(tensor)
    tensor = layers.BatchNormalization(momentum=MOMENTUM, epsilon=1e-5, name=f"{name}_bn")(tensor)
    return layers.ReLU(name=f"{name}_relu")(tensor)


def aspp(
    features: keras.KerasTensor,
    channels: int,
    rates: tuple[int, ...],
    dropout: float = 0.1,
    separable: bool = True,
):
    """Add the pyramid to a symbolic tensor.

    Args:
        features: `(B, h, w, C)`.
        channels: Channels of each branch and of the result; 256 in the paper.
        rates: Atrous rates of the 3x3 branches.
        dropout: Dropout rate after the projection.
        separable: True for depthwise and pointwise 3x3 branches, as in v3+; False for plain ones, as in v3.

    Returns:
        `(B, h, w, channels)`.

    References:
        Chen et al., Rethinking Atrous Convolution, 2017 (v3), section 3.3; 2018 (v3+), section 3.1.
    """
    branches = [convolution(features, channels, "aspp_0")]
    for index, rate in enumerate(rates, start=1):
        branches.append(
            convolution(features, channels, f"aspp_{index}", kernel=3, rate=rate, separable=separable)
        )
    pooled = layers.GlobalAveragePooling2D(keepdims=True, name="aspp_pooling")(features)
    pooled = convolution(pooled, channels, "aspp_image")
    branches.append(BilinearResizeTo(name="aspp_image_resize")([pooled, features]))
    merged = layers.Concatenate(name="aspp_concat")(branches)
    return layers.Dropout(dropout, name="aspp_dropout")(convolution(merged, channels, "aspp_project"))
