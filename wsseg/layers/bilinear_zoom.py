"""Bilinear upsampling of features whose cell `i` looks at pixel `factor * i`."""

from typing import Any

import keras
from keras import ops

from wsseg.errors import require_whole
from wsseg.layers.bilinear_resize import resize_bilinear
from wsseg.layers.grid_rules import resampled


@keras.saving.register_keras_serializable(package="wsseg")
class BilinearZoomTo(keras.layers.Layer):
    """Upsample bilinearly so that pixel `i` lies at `i / factor`, clamped, and crop to the size of a second tensor.

    In a network whose windows are all odd and centred (DeepLab's VGG with 3x3 poolings), the cells look at multiples
    of the stride, and the first cell looks at the first pixel. Half-pixel resizing would move such maps by
    `(factor - 1) / 2` pixels. From `h` cells to `factor * (h - 1) + 1` pixels, this layer equals resizing with
    aligned corners, which DeepLab's code uses (41 cells to 321 pixels, factor 8).

    Args:
        factor: Pixels between two cells, an integer from 1.

    Raises:
        InputError: `factor` is not an integer from 1.

    References:
        Chen et al., Semantic Image Segmentation with Deep Convolutional Nets and Fully Connected CRFs,
        ICLR 2015, section 3.1.

    Example:
        >>> import numpy as np
        >>> cells = np.array([[[[0.0], [4.0]]]])  # (1, 1, 2, 1)
        >>> BilinearZoomTo(4)([cells, np.zeros((1, 1, 6, 7))])[0, 0, :, 0].numpy().tolist()
        [0.0, 1.0, 2.0, 3.0, 4.0, 4.0]
    """

    output_grid = resampled

    def __init__(self, factor: int, **kwargs: Any):
        super().__init__(**kwargs)
        self.factor = require_whole("factor", factor, hint="try 8")

    def call(self, inputs):
        """Resize `inputs[0]`, `(B, h, w, C)`, to the size of `inputs[1]`, `(B, H, W, any)`.

        H must be at most `factor * h`, and W at most `factor * w`.
        """
        features, like = inputs
        size_hw = [self.factor * side for side in ops.shape(features)[1:3]]
        shift = (1 - 1 / self.factor) / 2
        height, width = ops.shape(like)[1:3]
        return resize_bilinear(features, size_hw, (shift, shift))[:, :height, :width]

    def compute_output_shape(self, input_shape):
        """Return `(B, H, W, C)`."""
        features, like = input_shape
        return (features[0], like[1], like[2], features[3])

    def get_config(self) -> dict[str, Any]:
        """Return the constructor's arguments."""
        return super().get_config() | {"factor": self.factor}
