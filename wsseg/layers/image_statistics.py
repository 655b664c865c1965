"""Standardise images by a mean and a variance that are stored as weights."""

from typing import Any

import keras
from keras import ops

from wsseg.layers.grid_rules import same


@keras.saving.register_keras_serializable(package="wsseg")
class ImageStatistics(keras.layers.Layer):
    """`(x - mean) / sqrt(variance)` for each channel; mean and variance are weights that are not trained.

    `keras.layers.Normalization` turns mean and variance into constants of its graph when it is built, adapted or
    loaded from a file, so `set_weights` on a model that contains one has no effect. This layer reads them at each
    call. The weights are those of `Normalization` (mean, variance, count), in the same order. It computes in
    float32, also under mixed precision.

    Example:
        >>> import numpy as np
        >>> layer = ImageStatistics()
        >>> layer.build((None, None, None, 2))
        >>> layer.set_weights([np.array([1.0, 2.0]), np.array([4.0, 1.0]), np.array(0)])
        >>> layer(np.array([[[[3.0, 3.0]]]])).numpy().ravel().tolist()
        [1.0, 1.0]
    """

    output_grid = same

    def __init__(self, **kwargs: Any):
        super().__init__(autocast=False, **kwargs)

    def build(self, input_shape):
        """Create mean 0 and variance 1 for each channel of the last axis."""
        channels = (input_shape[-1],)
        options = {"trainable": False, "dtype": "float32", "autocast": False}
        self.mean = self.add_weight(name="mean", shape=channels, initializer="zeros", **options)
        self.variance = self.add_weight(name="variance", shape=channels, initializer="ones", **options)
        self.count = self.add_weight(
            name="count", shape=(), initializer="zeros", trainable=False, dtype="int32"
        )
        self.built = True

    def call(self, images):
        """Standardise `(B, H, W, C)`."""
        x = (ops.cast(images, "float32") - self.mean) / ops.maximum(
            ops.sqrt(self.variance), keras.config.epsilon()
        )
        return ops.cast(x, self.compute_dtype)

    def compute_output_shape(self, input_shape):
        """Return the input's shape."""
        return input_shape
