"""Bilinear upsampling by an integer factor."""

from typing import Any

import keras
from keras import ops

from wsseg.errors import require_whole
from wsseg.layers.bilinear_resize import resize_bilinear
from wsseg.layers.grid_rules import resampled


@keras.saving.register_keras_serializable(package="wsseg")
class BilinearUpsampling2D(keras.layers.Layer):
    """Upsample bilinearly with half-pixel centres: pixel `i` lies at `(i + 0.5) / factor - 0.5`, clamped.

    `keras.layers.UpSampling2D` does the same, but only where the sizes are known when the graph is traced.

    Args:
        factor: Upsampling factor, an integer from 1.

    Raises:
        InputError: `factor` is not an integer from 1.

    Example:
        >>> import numpy as np
        >>> BilinearUpsampling2D()(np.array([[[[0.0], [4.0]]]]))[0, 0, :, 0].numpy().tolist()
        [0.0, 1.0, 3.0, 4.0]
    """

    output_grid = resampled

    def __init__(self, factor: int = 2, **kwargs: Any):
        super().__init__(**kwargs)
        self.factor = require_whole("factor", factor, hint="try 2")

    def call(self, features):
        """Upsample `(B, h, w, C)`."""
        return resize_bilinear(features, [self.factor * side for side in ops.shape(features)[1:3]])

    def compute_output_shape(self, input_shape):
        """Return `(B, factor * h, factor * w, C)`."""
        sides = [None if side is None else self.factor * side for side in input_shape[1:3]]
        return (input_shape[0], *sides, input_shape[3])

    def get_config(self) -> dict[str, Any]:
        """Return the constructor's arguments."""
        return super().get_config() | {"factor": self.factor}
