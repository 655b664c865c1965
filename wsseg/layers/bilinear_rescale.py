"""Bilinear resizing of images by a factor, for networks that read several scales."""

from typing import Any

import keras
from keras import ops

from wsseg.errors import InputError
from wsseg.layers.bilinear_resize import resize_bilinear
from wsseg.layers.grid_rules import resampled


def scaled_side(pixels: Any, scale: float) -> Any:
    """Return `max(floor(scale * pixels + 0.5), 1)` for an integer or a scalar tensor."""
    if isinstance(pixels, int):
        return max(int(scale * pixels + 0.5), 1)
    return ops.maximum(ops.cast(scale * ops.cast(pixels, "float32") + 0.5, "int32"), 1)


@keras.saving.register_keras_serializable(package="wsseg")
class BilinearRescale(keras.layers.Layer):
    """Resize images by a factor, bilinearly, with half-pixel centres and without antialiasing.

    A side of `n` pixels becomes `floor(scale * n + 0.5)`, but at least 1.

    Args:
        scale: Factor of height and width, positive.

    Raises:
        InputError: `scale` is not a positive number.

    Example:
        >>> import numpy as np
        >>> row = np.array([0.0, 2.0, 4.0, 8.0]).reshape(1, 1, 4, 1)
        >>> BilinearRescale(0.5)(row).numpy().ravel().tolist()
        [1.0, 6.0]
    """

    output_grid = resampled

    def __init__(self, scale: float, **kwargs: Any):
        super().__init__(**kwargs)
        if not isinstance(scale, int | float) or not scale > 0:
            raise InputError(f"`scale` must be a positive number; got {scale!r}; try 0.5")
        self.scale = float(scale)

    def call(self, images):
        """Resize `(B, H, W, C)`."""
        return resize_bilinear(images, [scaled_side(n, self.scale) for n in ops.shape(images)[1:3]])

    def compute_output_shape(self, input_shape):
        """Return `(B, H', W', C)`."""
        sides = [None if n is None else scaled_side(n, self.scale) for n in input_shape[1:3]]
        return (input_shape[0], *sides, input_shape[3])

    def get_config(self) -> dict[str, Any]:
        """Return the constructor's arguments."""
        return super().get_config() | {"scale": self.scale}
