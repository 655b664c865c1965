"""Atrous convolution, with a dilated kernel or with plain convolutions of subsampled maps."""

from typing import Any

import keras
from keras import ops

from wsseg.errors import InputError, is_whole, nearest, require_whole
from wsseg.layers.grid_rules import windowed

METHODS = ("dilated", "deinterlaced")
FIXED = ("strides", "padding", "data_format", "dilation_rate")
"""Arguments of `Conv2D` that this layer sets itself."""


@keras.saving.register_keras_serializable(package="wsseg")
class AtrousConvolution2D(keras.layers.Conv2D):
    """Convolution whose taps lie `rate` pixels apart; zero padding keeps the size of the input.

    Both methods have the same weights and, up to rounding, the same result, for any rate and size. "deinterlaced"
    subsamples the map to `rate * rate` maps, one per offset, convolves them all with the plain kernel and puts
    their pixels back. It is meant for devices or libraries whose dilated convolution is slow. Where `rate` doesn't
    divide the size, zeros are added below and to the right, and the result is cropped again. Some taps may lie
    outside the map for every pixel, such as those of a pyramid's large rates on small maps. They are left out where
    the size is known.

    Args:
        filters: Channels of the result.
        kernel_size: Side of the window, an odd integer, or two of them.
        rate: Atrous rate, from 1.
        method: "dilated" or "deinterlaced".
        use_bias: Whether each channel has a bias.
        kwargs: Further arguments of `keras.layers.Conv2D`, such as `activation` or `kernel_initializer`.

    Raises:
        InputError: The kernel is even (it has no centre), the rate is below 1, or the method is unknown.

    References:
        Chen et al., DeepLab: Semantic Image Segmentation with Deep Convolutional Nets, Atrous Convolution, and
        Fully Connected CRFs, 2016 (v2), section 3.1.

    Example:
        >>> import numpy as np
        >>> row = np.arange(1.0, 6.0).reshape(1, 1, 5, 1)
        >>> for method in ("dilated", "deinterlaced"):
        ...     layer = AtrousConvolution2D(1, (1, 3), 2, method, kernel_initializer="ones")
        ...     print(layer(row).numpy().ravel().tolist())  # x[i - 2] + x[i] + x[i + 2]
        [4.0, 6.0, 9.0, 6.0, 8.0]
        [4.0, 6.0, 9.0, 6.0, 8.0]
    """

    output_grid = windowed

    def __init__(
        self,
        filters: int,
        kernel_size: int | tuple[int, int] = 3,
        rate: int = 1,
        method: str = "dilated",
        use_bias: bool = True,
        **kwargs: Any,
    ):
        sides = (kernel_size,) * 2 if isinstance(kernel_size, int) else tuple(kernel_size)
        if len(sides) != 2 or not all(is_whole(side, 1) and side % 2 for side in sides):
            raise InputError(f"`kernel_size` must be one or two odd integers; got {kernel_size!r}; try 3")
        rate = require_whole("rate", rate, hint="try 2")
        if method not in METHODS:
            raise InputError(f"unknown `method` {method!r}; {nearest(str(method), METHODS)}")
        super().__init__(
            filters,
            sides,
            padding="same",
            data_format="channels_last",
            dilation_rate=rate,
            use_bias=use_bias,
            **kwargs,
        )
        self.rate, self.method = rate, method

    def convolution_op(self, inputs, kernel):
        """Convolve `(B, H, W, C)`. `Conv2D.call` calls this method and adds bias and activation."""
        rate = self.rate
        kernel = inside(kernel, inputs.shape[1:3], rate)
        if self.method == "dilated" or rate == 1:
            dilation = [rate if side > 1 else 1 for side in kernel.shape[:2]]
            return ops.conv(inputs, kernel, 1, "same", "channels_last", dilation)
        height, width = ops.shape(inputs)[1:3]
        rows, columns = (height + rate - 1) // rate, (width + rate - 1) // rate
        channels = inputs.shape[-1]
        x = ops.pad(inputs, ((0, 0), (0, rows * rate - height), (0, columns * rate - width), (0, 0)))
        x = ops.transpose(ops.reshape(x, (-1, rows, rate, columns, rate, channels)), (2, 4, 0, 1, 3, 5))
        x = ops.reshape(x, (-1, rows, columns, channels))
        x = ops.conv(x, kernel, strides=1, padding="same", data_format="channels_last")
        x = ops.transpose(ops.reshape(x, (rate, rate, -1, rows, columns, self.filters)), (2, 3, 0, 4, 1, 5))
        return ops.reshape(x, (-1, rows * rate, columns * rate, self.filters))[:, :height, :width]

    def get_config(self) -> dict[str, Any]:
        """Return the constructor's arguments."""
        config = {key: value for key, value in super().get_config().items() if key not in FIXED}
        return config | {"rate": self.rate, "method": self.method}


def inside(kernel, size_hw: tuple[int | None, ...], rate: int):
    """Return the taps of a kernel `(h, w, ...)` that lie inside the map for some pixel; all taps if size is unknown."""
    for axis, size in enumerate(size_hw):
        half = kernel.shape[axis] // 2
        reach = half if size is None else min(half, (size - 1) // rate)
        kernel = kernel[(slice(None),) * axis + (slice(half - reach, half + reach + 1),)]
    return kernel
