"""Upsampling by interpolation, then a convolution: learnt upsampling without checkerboard artifacts."""

import keras
from keras import layers

from wsseg.errors import InputError, nearest, require_whole
from wsseg.layers.bilinear_upsampling import BilinearUpsampling2D

INTERPOLATIONS = ("nearest", "bilinear")


def upsample_convolution(
    tensor: keras.KerasTensor,
    channels: int,
    name: str,
    factor: int = 2,
    kernel: int = 3,
    interpolation: str = "nearest",
) -> keras.KerasTensor:
    """Upsample a symbolic tensor, then convolve it (with a bias, without an activation).

    An upsampling method for your own networks; no network of wsseg calls it.

    Every output pixel depends on equally many taps. In a transposed convolution whose stride does not divide its
    kernel, some output pixels depend on more taps than others.

    Args:
        tensor: `(B, h, w, C)`.
        channels: Channels of the result.
        name: Name of the convolution; the upsampling is `{name}_up`.
        factor: Upsampling factor, an integer from 1.
        kernel: Side of the window.
        interpolation: "nearest", or "bilinear" (half-pixel centres).

    Returns:
        `(B, factor * h, factor * w, channels)`.

    Raises:
        InputError: The interpolation is unknown, or `factor` is not an integer from 1.

    References:
        Odena et al., Deconvolution and Checkerboard Artifacts, Distill 2016.

    Example:
        >>> upsample_convolution(keras.Input((8, 8, 16)), 4, "up").shape
        (None, 16, 16, 4)
    """
    if interpolation not in INTERPOLATIONS:
        raise InputError(
            f"unknown `interpolation` {interpolation!r}; {nearest(str(interpolation), INTERPOLATIONS)}"
        )
    factor = require_whole("factor", factor, hint="try 2")
    if interpolation == "nearest":
        upsampling = layers.UpSampling2D(factor, interpolation="nearest", name=f"{name}_up")
    else:
        upsampling = BilinearUpsampling2D(factor, name=f"{name}_up")
    return layers.Conv2D(channels, kernel, padding="same", name=name)(upsampling(tensor))
