"""Weights with which a transposed convolution interpolates bilinearly."""

from typing import Any

import keras
import numpy as np
from keras import ops

from wsseg.errors import InputError


@keras.saving.register_keras_serializable(package="wsseg")
class Bilinear(keras.initializers.Initializer):
    """Bilinear interpolation of each channel: the initial weights of FCN's learnt upsampling.

    Along one axis, tap `t` of a kernel of `k` taps is `1 - |t - c| / f`, where `c = (k - 1) / 2` is its centre and
    `f = (k + 1) // 2` is the upsampling factor. The kernel is the product of both axes.

    Raises:
        InputError: The shape of the kernel isn't `(k, k, channels, channels)`.

    References:
        Long et al., Fully Convolutional Networks for Semantic Segmentation, CVPR 2015, section 3.3.

    Example:
        >>> Bilinear()((4, 4, 1, 1))[1, :, 0, 0].numpy().tolist()  # 3/4 times (1/4, 3/4, 3/4, 1/4)
        [0.1875, 0.5625, 0.5625, 0.1875]
    """

    def __call__(self, shape: tuple[int, ...], dtype: Any = None):
        """Return the kernel `(k, k, channels, channels)` of a `Conv2DTranspose`."""
        if len(shape) != 4 or shape[0] != shape[1] or shape[2] != shape[3]:
            raise InputError(
                "`Bilinear` needs a kernel (k, k, channels, channels), with as many output as input channels; "
                f"got {tuple(shape)}; try `filters` equal to the input's channels"
            )
        side, channels = shape[0], shape[2]
        line = 1 - np.abs(np.arange(side) - (side - 1) / 2) / ((side + 1) // 2)
        kernel = np.einsum("y,x,io->yxio", line, line, np.eye(channels))
        return ops.convert_to_tensor(kernel, dtype=dtype or keras.config.floatx())

    def get_config(self) -> dict[str, Any]:
        """Return the constructor's arguments: none."""
        return {}
