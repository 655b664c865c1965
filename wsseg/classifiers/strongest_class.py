"""Class maps of which every cell keeps the strongest class alone, beside a background."""

from typing import Any

import keras
from keras import ops

from wsseg.layers.grid_rules import same
from wsseg.layers.masked_pooling import valid_cells

EPSILON = 1e-5


def suppressed(maps: Any) -> Any:
    """Keep at each cell the strongest class alone, and put before the classes the background: 1 - the strongest.

    Args:
        maps: `(B, h, w, K)` in [0, 1].

    Returns:
        `(B, h, w, K + 1)`.
    """
    strongest = ops.max(maps, axis=-1, keepdims=True)
    kept = ops.where(maps < strongest, ops.zeros_like(maps), maps)
    return ops.concatenate([1 - strongest, kept], axis=-1)


@keras.saving.register_keras_serializable(package="wsseg")
class StrongestClass(keras.layers.Layer):
    """Divide the positive part of each class map by its maximum, and keep at each cell the strongest class alone.

    A background of 1 - the strongest comes first; the padding is background. The result is a constant to the gradient.

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
        """Make `(B, h, w, K + 1)` float32 in [0, 1] of `(B, h, w, K)` and, where there is padding, `(B, H, W)`."""
        maps = ops.relu(ops.stop_gradient(maps))
        if valid is not None:
            maps = maps * ops.cast(valid_cells(valid, maps), "float32")
        highest = ops.max(maps, axis=(1, 2), keepdims=True) + EPSILON
        return suppressed(ops.relu(maps - EPSILON) / highest)

    def compute_output_shape(self, maps_shape, valid_shape=None):
        """Return the maps' shape with one channel more."""
        return (*maps_shape[:3], maps_shape[3] + 1)
