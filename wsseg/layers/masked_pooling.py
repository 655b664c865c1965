"""Global average pooling over the valid cells only, so that padding does not count."""

import keras
from keras import ops

from wsseg.layers.grid_rules import whole_image


def valid_cells(valid, features):
    """Resize a validity mask to the features' size: a cell counts if and only if the pixel at its centre is valid.

    Args:
        valid: `(B, H, W)` float, 1 inside the image and 0 in the padding.
        features: `(B, h, w, C)`.

    Returns:
        `(B, h, w, 1)`, with the dtype of the mask.
    """
    for axis in (1, 2):
        valid = ops.take(valid, _centres(ops.shape(valid)[axis], ops.shape(features)[axis]), axis=axis)
    return valid[..., None]


def _centres(pixels, cells):
    """Return the pixel at each cell's centre; unlike in `ops.image.resize`, the sizes may be symbolic."""
    position = (ops.arange(cells, dtype="float32") + 0.5) * (
        ops.cast(pixels, "float32") / ops.cast(cells, "float32")
    )
    return ops.cast(position, "int32")


@keras.saving.register_keras_serializable(package="wsseg")
class MaskedGlobalAveragePooling2D(keras.layers.Layer):
    """Average each channel over the cells that a validity mask marks, or over all cells if there is no mask.

    The mask is resized to the features' size by nearest neighbour, so a cell counts if and only if the pixel at its
    centre is valid. An image without a valid cell gives 0.

    Example:
        >>> import numpy as np
        >>> features = np.array([[[[1.0], [5.0]], [[3.0], [7.0]]]])  # (1, 2, 2, 1)
        >>> valid = np.array([[[1.0, 0.0], [1.0, 0.0]]])  # (1, 2, 2): the left column
        >>> float(MaskedGlobalAveragePooling2D()(features, valid)[0, 0])
        2.0
    """

    output_grid = whole_image

    def call(self, features, valid=None):
        """Pool a map.

        Args:
            features: `(B, h, w, C)` float.
            valid: `(B, H, W)` float, 1 inside the image and 0 in the padding; or None.

        Returns:
            `(B, C)` float.
        """
        if valid is None:
            return ops.mean(features, axis=(1, 2))
        weight = ops.cast(valid_cells(valid, features), features.dtype)
        # The sum of a map's activations can overflow float16, so it is accumulated in float32.
        total = ops.sum(ops.cast(features * weight, "float32"), axis=(1, 2))
        count = ops.maximum(ops.sum(ops.cast(weight, "float32"), axis=(1, 2)), 1.0)
        return ops.cast(total / count, features.dtype)

    def compute_output_shape(self, features_shape, valid_shape=None):
        """Return `(B, C)`."""
        return (features_shape[0], features_shape[-1])
