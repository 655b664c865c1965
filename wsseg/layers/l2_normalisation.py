"""L2 normalisation of the features at each position, times a learnt scale."""

from typing import Any

import keras
from keras import ops

from wsseg.layers.grid_rules import same


@keras.saving.register_keras_serializable(package="wsseg")
class L2Normalisation(keras.layers.Layer):
    """`scale_c * x_c / sqrt(sum over channels of x^2 + epsilon)` at each position.

    With it, maps of very different magnitude can be concatenated: pooled context with features, or early layers with
    late ones. It computes in float32, also under mixed precision, since the squares would overflow in float16.

    Args:
        scale: Initial value of the learnt scale of every channel.
        epsilon: Number added to the sum of squares, so that value and gradient of an all-zero position stay finite.

    References:
        Liu et al., ParseNet: Looking Wider to See Better, 2015, section 3.3.

    Example:
        >>> import numpy as np
        >>> L2Normalisation(scale=10.0)(np.array([[[[3.0, 4.0]]]])).numpy().round(3).ravel().tolist()
        [6.0, 8.0]
    """

    output_grid = same

    def __init__(self, scale: float = 10.0, epsilon: float = 1e-6, **kwargs: Any):
        super().__init__(autocast=False, **kwargs)
        self.scale_start, self.epsilon = float(scale), float(epsilon)

    def build(self, input_shape):
        """Create one scale for each channel of the last axis."""
        self.scale = self.add_weight(
            name="scale",
            shape=(input_shape[-1],),
            initializer=keras.initializers.Constant(self.scale_start),
            autocast=False,
        )
        self.built = True

    def call(self, features):
        """Normalise `(B, H, W, C)`."""
        x = ops.cast(features, "float32")
        length = ops.sqrt(ops.sum(ops.square(x), axis=-1, keepdims=True) + self.epsilon)
        return ops.cast(x / length * ops.cast(self.scale, "float32"), self.compute_dtype)

    def compute_output_shape(self, input_shape):
        """Return the input's shape."""
        return tuple(input_shape)

    def get_config(self) -> dict[str, Any]:
        """Return the constructor's arguments."""
        return super().get_config() | {"scale": self.scale_start, "epsilon": self.epsilon}
