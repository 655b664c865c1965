"""Class maps in which each cell keeps only its strongest class, with a background map."""

from typing import Any

import keras
from keras import ops

from wsseg.layers.grid_rules import same
from wsseg.layers.masked_pooling import valid_cells

EPSILON = 1e-5


def suppressed(maps: Any) -> Any:
    """Keep only the strongest class at each cell, and put the background before the classes: 1 - the strongest value.

    Args:
        maps: `(B, h, w, K)` in [0, 1].

    Returns:
        `(B, h, w, K + 1)`, background first.
    """
    strongest = ops.max(maps, axis=-1, keepdims=True)
    kept = ops.where(maps < strongest, ops.zeros_like(maps), maps)
    return ops.concatenate([1 - strongest, kept], axis=-1)


@keras.saving.register_keras_serializable(package="wsseg")
class StrongestClass(keras.layers.Layer):
    """Divide the positive part of each class map by its maximum, and keep only the strongest class at each cell.

    The background, 1 - the strongest value, comes first; padding is background. No gradient passes through the result.

    Example:
        >>> import numpy as np
        >>> maps = np.array([[[[2.0, 1], [1, 4], [-1, -1]]]])  # three cells, two classes
        >>> StrongestClass()(maps)[0, 0].numpy().round(3).tolist()
        [[0.0, 1.0, 0.0], [0.0, 0.0, 1.0], [1.0, 0.0, 0.0]]

    References:
        Wang et al., CVPR 2020 (SEAM), section 3.3; its public code suppresses the weaker classes.
    """

    output_grid = same

    def __init__(self, **kwargs: Any):
        super().__init__(**kwargs | {"dtype": "float32"})

    def call(self, maps, valid=None):
        """Turn maps `(B, h, w, K)` into `(B, h, w, K + 1)` float32 in [0, 1]; `valid` is a mask `(B, H, W)` or None."""
        maps = ops.relu(ops.stop_gradient(maps))
        if valid is not None:
            maps = maps * ops.cast(valid_cells(valid, maps), "float32")
        highest = ops.max(maps, axis=(1, 2), keepdims=True) + EPSILON
        return suppressed(ops.relu(maps - EPSILON) / highest)

    def compute_output_shape(self, maps_shape, valid_shape=None):
        """Return the maps' shape with one more channel."""
        return (*maps_shape[:3], maps_shape[3] + 1)
