"""Scale and offset for each channel of an image: the preprocessing of pretrained transformers."""

from collections.abc import Sequence
from typing import Any

import keras
from keras import ops

from wsseg.errors import InputError
from wsseg.layers.grid_rules import same


@keras.saving.register_keras_serializable(package="wsseg")
class ChannelRescaling(keras.layers.Layer):
    """`x * scale + offset`, channel by channel, computed in float32, also under mixed precision.

    To subtract a mean and divide by a standard deviation, both given for values in [0, 1], from images in [0, 255],
    use `scale = 1 / (255 * deviation)` and `offset = -mean / deviation`.

    Args:
        scale: One number per channel.
        offset: One number per channel.

    Raises:
        InputError: `scale` and `offset` have different lengths.

    Example:
        >>> import numpy as np
        >>> ChannelRescaling((2.0, 1.0), (0.0, -1.0))(np.array([[[[3.0, 4.0]]]])).numpy().ravel().tolist()
        [6.0, 3.0]
    """

    output_grid = same

    def __init__(self, scale: Sequence[float], offset: Sequence[float], **kwargs: Any):
        if len(scale) != len(offset):
            raise InputError(
                f"`scale` and `offset` must have one number per channel each; got {len(scale)} and {len(offset)}"
            )
        super().__init__(autocast=False, **kwargs)
        self.scale, self.offset = tuple(map(float, scale)), tuple(map(float, offset))

    def call(self, images):
        """Rescale images `(B, H, W, C)` of any real dtype; return them in the layer's compute dtype."""
        x = ops.cast(images, keras.backend.result_type("float32", self.compute_dtype))
        x = x * ops.array(self.scale, x.dtype) + ops.array(self.offset, x.dtype)
        return ops.cast(x, self.compute_dtype)

    def compute_output_shape(self, input_shape):
        """Return the input's shape."""
        return input_shape

    def get_config(self) -> dict[str, Any]:
        """Return the constructor's arguments."""
        return super().get_config() | {"scale": self.scale, "offset": self.offset}
