"""Bilinear resizing of one feature map to the size of another, for networks of any input size."""

import keras
from keras import ops


def _weights(before, after, dtype):
    """Return the `(after, before)` matrix that interpolates one axis linearly."""
    ratio = ops.cast(before, "float32") / ops.cast(after, "float32")
    position = (ops.arange(after, dtype="float32") + 0.5) * ratio - 0.5
    position = ops.clip(position, 0.0, ops.cast(before, "float32") - 1.0)
    distance = ops.abs(position[:, None] - ops.arange(before, dtype="float32")[None])
    return ops.cast(ops.maximum(1.0 - distance, 0.0), dtype)


@keras.saving.register_keras_serializable(package="wsseg")
class BilinearResizeTo(keras.layers.Layer):
    """Resize features bilinearly, half-pixel centres, to the height and width of a second tensor.

    Pixel `i` of the result lies at `(i + 0.5) * h / H - 0.5` of the input, clamped at the borders: TensorFlow's
    and PyTorch's `align_corners=False`.

    Example:
        >>> import numpy as np
        >>> small = np.array([[[[0.0], [4.0]]]])  # (1, 1, 2, 1)
        >>> BilinearResizeTo()([small, np.zeros((1, 1, 4, 7))])[0, 0, :, 0].numpy().tolist()
        [0.0, 1.0, 3.0, 4.0]
    """

    def call(self, inputs):
        """Resize `inputs[0]`, `(B, h, w, C)`, to the size of `inputs[1]`, `(B, H, W, any)`."""
        features, like = inputs
        size_hw = ops.shape(like)[1:3]
        if all(isinstance(side, int) for side in size_hw):
            return ops.image.resize(features, size_hw, interpolation="bilinear")
        # `ops.image.resize` needs sizes known when the graph is traced; two interpolation matrices do not.
        height, width = ops.shape(features)[1:3]
        features = ops.einsum("yh,bhwc->bywc", _weights(height, size_hw[0], features.dtype), features)
        return ops.einsum("xw,bywc->byxc", _weights(width, size_hw[1], features.dtype), features)

    def compute_output_shape(self, input_shape):
        """Return `(B, H, W, C)`."""
        features, like = input_shape
        return (features[0], like[1], like[2], features[3])
