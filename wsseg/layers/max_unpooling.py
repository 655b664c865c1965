"""The inverse of a max pooling: it puts each value back to the position of its maximum."""

from typing import Any

import keras
from keras import ops

from wsseg.errors import require_whole
from wsseg.layers.grid_rules import resampled


@keras.saving.register_keras_serializable(package="wsseg")
class MaxUnpooling2D(keras.layers.Layer):
    """Put values at the positions that `MaxPoolingWithSwitches2D` recorded; zeros elsewhere.

    Args:
        pool_size: Side of the windows of that pooling.

    Raises:
        InputError: `pool_size` is not an integer from 1.

    References:
        Noh et al., Learning Deconvolution Network for Semantic Segmentation, ICCV 2015, section 3.2.1.
        Badrinarayanan et al., SegNet, TPAMI 2017, section 3.

    Example:
        >>> import numpy as np
        >>> values, switches = np.full((1, 1, 1, 1), 7.0), np.full((1, 1, 1, 1), 2, "int32")
        >>> MaxUnpooling2D()([values, switches])[0, :, :, 0].numpy().tolist()
        [[0.0, 0.0], [7.0, 0.0]]
    """

    output_grid = resampled

    def __init__(self, pool_size: int = 2, **kwargs: Any):
        super().__init__(**kwargs)
        self.pool_size = require_whole("pool_size", pool_size, hint="try 2")

    def call(self, inputs):
        """Unpool a map.

        Args:
            inputs: `[values, switches]`, both `(B, h, w, C)`; the switches are integers from 0 to `p * p - 1`.

        Returns:
            `(B, p * h, p * w, C)`.
        """
        values, switches = inputs
        side = self.pool_size
        height, width, channels = ops.shape(values)[1:]
        # (B, h, p, w, p, C): the windows already have the order of the map, so nothing needs to be transposed. The
        # values are selected, not multiplied by 0 or 1, because infinity times zero is not zero.
        positions = ops.reshape(ops.arange(side * side, dtype="int32"), (1, 1, side, 1, side, 1))
        hit = switches[:, :, None, :, None] == positions
        spread = ops.where(hit, values[:, :, None, :, None], ops.zeros((), values.dtype))
        return ops.reshape(spread, (-1, side * height, side * width, channels))

    def compute_output_shape(self, input_shape):
        """Return `(B, p * h, p * w, C)`."""
        batch, height, width, channels = input_shape[0]
        sides = [None if n is None else n * self.pool_size for n in (height, width)]
        return (batch, *sides, channels)

    def get_config(self) -> dict[str, Any]:
        """Return the constructor's arguments."""
        return super().get_config() | {"pool_size": self.pool_size}
