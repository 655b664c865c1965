"""A vector of fixed length from a feature map of any size."""

from typing import Any

import keras
from keras import ops

from wsseg.errors import InputError, nearest, require_whole
from wsseg.layers.adaptive_average_pooling import pool_to_bins
from wsseg.layers.grid_rules import whole_image

POOLINGS = ("max", "average")


@keras.saving.register_keras_serializable(package="wsseg")
class SpatialPyramidPooling2D(keras.layers.Layer):
    """Pool a map to several grids of bins and concatenate all bins to one vector.

    The vector holds the levels in the order of `bins`, each row by row, with the channels of a bin side by side. On an
    axis of `n` cells, bin `i` of `b` holds the cells from `floor(i * n / b)` up to, but without,
    `ceil((i + 1) * n / b)`.

    Args:
        bins: Number of bins along each axis, one number per level.
        pooling: "max" or "average"; the average is computed in float32, also under mixed precision.

    Raises:
        InputError: `bins` is empty or has a number below 1, or the pooling is unknown.

    References:
        He et al., Spatial Pyramid Pooling in Deep Convolutional Networks for Visual Recognition, ECCV 2014,
        section 2.2.

    Example:
        >>> import numpy as np
        >>> SpatialPyramidPooling2D((1, 2))(np.arange(12.0).reshape(1, 3, 4, 1)).numpy().tolist()
        [[11.0, 5.0, 7.0, 9.0, 11.0]]
    """

    output_grid = whole_image

    def __init__(self, bins: tuple[int, ...] = (1, 2, 4), pooling: str = "max", **kwargs: Any):
        super().__init__(**kwargs)
        self.bins = tuple(require_whole("bins", level, hint="try 1, 2, 3 or 6") for level in bins)
        if not self.bins:
            raise InputError("`bins` must name at least one level; try (1, 2, 4)")
        if pooling not in POOLINGS:
            raise InputError(f"unknown `pooling` {pooling!r}; {nearest(str(pooling), POOLINGS)}")
        self.pooling = pooling

    def call(self, features):
        """Pool `(B, H, W, C)`."""
        if self.pooling == "average":
            features, reduce = ops.cast(features, "float32"), ops.mean
        else:
            reduce = ops.max
        channels = features.shape[-1]
        levels = [
            ops.reshape(pool_to_bins(features, level, reduce), (-1, level * level * channels))
            for level in self.bins
        ]
        return ops.cast(ops.concatenate(levels, axis=1), self.compute_dtype)

    def compute_output_shape(self, input_shape):
        """Return `(B, C * sum of the squares of bins)`."""
        return (input_shape[0], input_shape[3] * sum(level**2 for level in self.bins))

    def get_config(self) -> dict[str, Any]:
        """Return the constructor's arguments."""
        return super().get_config() | {"bins": self.bins, "pooling": self.pooling}
