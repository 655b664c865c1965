"""SEAM's pixel correlation module: it averages maps over cells with similar features."""

from typing import Any

import keras
from keras import ops

from wsseg.errors import require_whole
from wsseg.layers.grid_rules import same
from wsseg.layers.masked_pooling import valid_cells

EPSILON = 1e-5
"""Added to norms and sums before dividing by them, as in the public code."""


@keras.saving.register_keras_serializable(package="wsseg")
class PixelCorrelation(keras.layers.Layer):
    r"""Replace each cell of the maps by the mean of all cells, weighted by the similarity of their features.

    $\hat y_i = \frac{1}{C_i} \sum_j \mathrm{ReLU}\!\left(\frac{\theta(x_i)^T \theta(x_j)}{|\theta(x_i)| |\theta(x_j)|}
    \right) y_j$ with a learnt linear embedding $\theta$, where $C_i$ is the sum of the weights. Cells in the padding
    have weight 0. The layer computes in float32. The weights of one image take `(h * w)^2` numbers, so give large
    images one by one.

    Args:
        channels: Channels of the embedding.

    Raises:
        InputError: `channels` is not a whole number from 1.

    Example:
        >>> import numpy as np
        >>> layer = PixelCorrelation(2)
        >>> features = np.array([[[[1.0, 0], [2, 0], [0, 3]]]])  # the first two cells look alike
        >>> layer.build([(1, 1, 3, 1), features.shape])
        >>> layer.set_weights([np.eye(2)])
        >>> layer([np.array([[[[1.0], [3], [8]]]]), features])[0, 0, :, 0].numpy().round(3).tolist()
        [2.0, 2.0, 8.0]

    References:
        Wang et al., Self-supervised Equivariant Attention Mechanism for Weakly Supervised Semantic Segmentation,
        CVPR 2020, section 3.3. The constants and the initial embedding (Glorot's, four times as wide) are those of its
        public code.
    """

    output_grid = same

    def __init__(self, channels: int, **kwargs: Any):
        super().__init__(**kwargs | {"dtype": "float32"})
        self.channels = require_whole("channels", channels, hint="try 192")

    def build(self, input_shape):
        """Create the weights of the embedding."""
        glorot = keras.initializers.VarianceScaling(16.0, "fan_avg", "uniform")
        self.kernel = self.add_weight(
            shape=(input_shape[1][-1], self.channels), initializer=glorot, name="kernel"
        )

    def call(self, inputs):
        """Refine maps.

        Args:
            inputs: Maps `(B, h, w, M)`, features `(B, h, w, C)` and, if there is padding, a validity mask `(B, H, W)`:
                1 inside the image and 0 in the padding.

        Returns:
            `(B, h, w, M)` float32.
        """
        maps, features, *valid = inputs
        embedded = ops.matmul(features, self.kernel)
        norm = ops.sqrt(ops.sum(embedded**2, axis=-1, keepdims=True) + 1e-12)  # with a finite gradient at 0
        embedded = embedded / (norm + EPSILON)
        shape = ops.shape(maps)
        cells = shape[1] * shape[2]
        embedded = ops.reshape(embedded, (shape[0], cells, self.channels))
        alike = ops.relu(ops.matmul(embedded, ops.transpose(embedded, (0, 2, 1))))
        if valid:
            inside = ops.cast(valid_cells(valid[0], maps), "float32")
            alike = alike * ops.reshape(inside, (shape[0], 1, cells))
        refined = ops.matmul(alike, ops.reshape(maps, (shape[0], cells, maps.shape[-1])))
        refined = refined / (ops.sum(alike, axis=-1, keepdims=True) + EPSILON)
        return ops.reshape(refined, (*shape[:3], maps.shape[-1]))

    def compute_output_shape(self, input_shape):
        """Return the maps' shape."""
        return tuple(input_shape[0])

    def get_config(self) -> dict[str, Any]:
        """Return the constructor's arguments."""
        return super().get_config() | {"channels": self.channels}
