"""Subtract a mean that is measured once, after training."""

import keras
from keras import ops

from wsseg.layers.grid_rules import same


@keras.saving.register_keras_serializable(package="wsseg")
class MeanShift(keras.layers.Layer):
    """Subtract a mean from each channel; the mean is 0 until `set_mean` is called.

    A loss that only compares neighbours does not determine a common offset of all values. After training, this offset
    is measured over the training images and subtracted.

    Example:
        >>> import numpy as np
        >>> layer = MeanShift()
        >>> layer.build((None, 1, 1, 2))
        >>> layer.set_mean(np.array([1.0, -1.0]))
        >>> layer(np.array([[[[1.5, 0.0]]]])).numpy().tolist()
        [[[[0.5, 1.0]]]]

    References:
        Ahn et al., CVPR 2019 (IRN), section 3.2: the displacements of a class have mean 0. `MeanShift` of its public
        code averages over all training images.
    """

    output_grid = same

    def build(self, input_shape):
        """Create the weight of the mean, which is not trained."""
        self.mean = self.add_weight(
            shape=(input_shape[-1],), initializer="zeros", trainable=False, name="mean"
        )

    def set_mean(self, mean) -> None:
        """Set the mean, `(C,)`."""
        self.mean.assign(mean)

    def call(self, inputs):
        """Subtract the mean from `(..., C)`."""
        return inputs - ops.cast(self.mean, inputs.dtype)

    def compute_output_shape(self, input_shape):
        """Return the input's shape."""
        return input_shape
