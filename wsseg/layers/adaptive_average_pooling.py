"""Average pooling to a fixed number of bins, whatever the map's size."""

from collections.abc import Callable
from typing import Any

import keras
from keras import ops

from wsseg.errors import require_whole
from wsseg.layers.grid_rules import whole_image


def pool_to_bins(features, bins: int, reduce: Callable):
    """Pool `(B, H, W, C)` to `(B, bins, bins, C)`; H and W may be unknown until the graph runs.

    On an axis of `n` cells, bin `i` holds the cells from `floor(i * n / bins)` up to, but without,
    `ceil((i + 1) * n / bins)`. The bins cover the axis and none is empty. Neighbouring bins share a cell where
    `bins` doesn't divide `n`.

    Args:
        features: A tensor, not a symbolic one.
        bins: Number of bins along each axis.
        reduce: `keras.ops.mean` or `keras.ops.max`: a reduction that can run over rows first, then over columns.
    """
    for axis in (1, 2):
        size = ops.shape(features)[axis]
        parts = []
        for index in range(bins):
            part = slice(index * size // bins, ((index + 1) * size + bins - 1) // bins)
            parts.append(reduce(features[:, part] if axis == 1 else features[:, :, part], axis=axis))
        features = ops.stack(parts, axis=axis)
    return features


@keras.saving.register_keras_serializable(package="wsseg")
class AdaptiveAveragePooling2D(keras.layers.Layer):
    """Average over `bins` x `bins` bins that cover a map of any size; the bin borders are those of PyTorch.

    On an axis of `n` cells, bin `i` holds the cells from `floor(i * n / bins)` up to, but without,
    `ceil((i + 1) * n / bins)`. `keras.layers.AdaptiveAveragePooling2D` needs to know the size when the graph is
    traced; this layer doesn't. It computes in float32, also under mixed precision.

    Args:
        bins: Number of bins along each axis, from 1.

    Raises:
        InputError: `bins` is not an integer from 1.

    Example:
        >>> import numpy as np
        >>> row = np.array([[1.0, 2.0, 6.0]] * 2).reshape(1, 2, 3, 1)
        >>> AdaptiveAveragePooling2D(2)(row)[0, 0, :, 0].numpy().tolist()  # cells 0 and 1, then 1 and 2
        [1.5, 4.0]
    """

    output_grid = whole_image

    def __init__(self, bins: int, **kwargs: Any):
        super().__init__(**kwargs)
        self.bins = require_whole("bins", bins, hint="try 1, 2, 3 or 6")

    def call(self, features):
        """Pool `(B, H, W, C)`."""
        pooled = pool_to_bins(ops.cast(features, "float32"), self.bins, ops.mean)
        return ops.cast(pooled, self.compute_dtype)

    def compute_output_shape(self, input_shape):
        """Return `(B, bins, bins, C)`."""
        return (input_shape[0], self.bins, self.bins, input_shape[3])

    def get_config(self) -> dict[str, Any]:
        """Return the constructor's arguments."""
        return super().get_config() | {"bins": self.bins}
