"""Take off a mean that is measured once."""

import keras
from keras import ops

from wsseg.layers.grid_rules import same


@keras.saving.register_keras_serializable(package="wsseg")
class MeanShift(keras.layers.Layer):
    """Subtract a mean for each channel, 0 until `set_mean` has been called.

    A loss that compares neighbours only leaves their common value open: after training it is measured over the training
    images and taken off.

    Example:
        >>> import numpy as np
        >>> layer = MeanShift()
        >>> layer.build((None, 1, 1, 2))
        >>> layer.set_mean(np.array([1.0, -1.0]))
        >>> layer(np.array([[[[1.5, 0.0]]]])).numpy().tolist()
        [[[[0.5, 1.0]]]]

    References:
        Ahn et al., CVPR 2019 (IRN), section 3.2: displacements of a class average to 0; its public code's `MeanShift`
        averages over all training images.
    """

    output_grid = same

    def build(self, input_shape):
        """Make the mean's weight, which is not trained."""
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
