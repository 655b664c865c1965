"""Learnt upsampling that starts as bilinear interpolation."""

import keras
from keras import layers

from wsseg.errors import InputError, require_whole
from wsseg.layers.bilinear_initializer import Bilinear


def bilinear_transpose(
    tensor: keras.KerasTensor, channels: int, factor: int, name: str, trainable: bool = True
) -> keras.KerasTensor:
    """Upsample a symbolic tensor by a transposed convolution initialised to bilinear interpolation.

    An upsampling method for your own networks, as in the published FCN; no network of wsseg calls it.

    The kernel has `2 * factor - factor % 2` taps per axis, the stride is `factor`, and there is no bias. Half-pixel
    centres: pixel `i` of the result lies at `(i + 0.5) / factor - 0.5` of the input, as in
    `wsseg.layers.BilinearResizeTo`. The two differ only in `factor // 2` pixels at each border: there the transposed
    convolution interpolates towards zeros outside the map, and the resizing repeats the border's values.

    Args:
        tensor: `(B, h, w, channels)`.
        channels: Channels of the input and of the result; each is interpolated from itself.
        factor: Upsampling factor, an integer from 1.
        name: Name of the layer.
        trainable: Whether the weights learn; False keeps the interpolation.

    Returns:
        `(B, factor * h, factor * w, channels)`.

    Raises:
        InputError: `factor` is below 1, or `channels` is not the tensor's number of channels.

    References:
        Long et al., Fully Convolutional Networks for Semantic Segmentation, CVPR 2015, sections 3.3 and 4.3.

    Example:
        >>> scores = keras.Input((None, None, 21))
        >>> bilinear_transpose(scores, 21, 8, "upsample_8").shape
        (None, None, None, 21)
    """
    factor = require_whole("factor", factor, hint="try 2")
    if tensor.shape[-1] != channels:
        raise InputError(
            f"`channels` must be the tensor's {tensor.shape[-1]}: each is interpolated from itself; got {channels}"
        )
    return layers.Conv2DTranspose(
        channels,
        2 * factor - factor % 2,
        strides=factor,
        padding="same",
        use_bias=False,
        kernel_initializer=Bilinear(),
        trainable=trainable,
        name=name,
    )(tensor)
