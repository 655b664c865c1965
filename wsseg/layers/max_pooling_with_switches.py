"""Max pooling that also returns the position of each maximum."""

from typing import Any

import keras
from keras import ops

from wsseg.errors import require_whole
from wsseg.grid import Grid


@keras.saving.register_keras_serializable(package="wsseg")
class MaxPoolingWithSwitches2D(keras.layers.Layer):
    """Maxima over non-overlapping windows, and their positions for `MaxUnpooling2D`.

    A switch is the position of the maximum inside its window, row by row: `p * row + column`, from 0 to `p * p - 1`.
    Of equal maxima the first one counts. Rows and columns that don't fill a window are left out, as with Keras'
    "valid" padding.

    Args:
        pool_size: Side `p` of the windows, and their stride.

    Raises:
        InputError: `pool_size` is not an integer from 1.

    References:
        Zeiler and Fergus, Visualizing and Understanding Convolutional Networks, ECCV 2014, section 2.1.
        Noh et al., Learning Deconvolution Network for Semantic Segmentation, ICCV 2015, section 3.2.1.

    Example:
        >>> import numpy as np
        >>> image = np.array([[1.0, 2.0], [5.0, 3.0]]).reshape(1, 2, 2, 1)
        >>> pooled, switches = MaxPoolingWithSwitches2D()(image)
        >>> pooled.numpy().item(), switches.numpy().item()
        (5.0, 2)
    """

    def __init__(self, pool_size: int = 2, **kwargs: Any):
        super().__init__(**kwargs)
        self.pool_size = require_whole("pool_size", pool_size, hint="try 2")

    def output_grid(self, input_shape) -> Grid:
        """Return the grid of the pooled cells, in cells of the input."""
        return Grid.of_blocks(self.pool_size)

    def call(self, inputs):
        """Pool a map.

        Args:
            inputs: `(B, H, W, C)`.

        Returns:
            `(pooled, switches)`, both `(B, H // p, W // p, C)`; the switches are int32.
        """
        side = self.pool_size
        pooled = ops.max_pool(inputs, side, strides=side, padding="valid", data_format="channels_last")
        height, width = (side * n for n in ops.shape(pooled)[1:3])
        # Slices are compared with the maxima, instead of `argmax`, so that the map need not be transposed. The loop
        # runs from the last position to the first, so that the first of equal maxima remains.
        x, maxima = ops.stop_gradient(inputs), ops.stop_gradient(pooled)
        switches = ops.zeros_like(maxima, dtype="int32")
        for position in reversed(range(1, side * side)):
            row, column = divmod(position, side)
            value = x[:, row:height:side, column:width:side]
            switches = ops.where(value == maxima, position, switches)
        switches = ops.where(x[:, :height:side, :width:side] == maxima, 0, switches)
        return pooled, switches

    def compute_output_spec(self, inputs):
        """Return the specs of `(pooled, switches)`."""
        shape, _ = self.compute_output_shape(inputs.shape)
        return keras.KerasTensor(shape, dtype=self.compute_dtype), keras.KerasTensor(shape, dtype="int32")

    def compute_output_shape(self, input_shape):
        """Return `(B, H // p, W // p, C)` twice."""
        batch, height, width, channels = input_shape
        sides = [None if n is None else n // self.pool_size for n in (height, width)]
        return ((batch, *sides, channels),) * 2

    def get_config(self) -> dict[str, Any]:
        """Return the constructor's arguments."""
        return super().get_config() | {"pool_size": self.pool_size}
