"""Turn raw RGB in [0, 255] into the input of a network pretrained on ImageNet, inside the model."""

from typing import Any

import keras
from keras import ops

from wsseg.errors import InputError, nearest
from wsseg.layers.grid_rules import same

MODES = ("caffe", "tf", "torch", "none")

# From keras.applications.imagenet_utils; BGR in [0, 255] and RGB in [0, 1].
CAFFE_MEAN_BGR = (103.939, 116.779, 123.68)
TORCH_MEAN_RGB = (0.485, 0.456, 0.406)
TORCH_STD_RGB = (0.229, 0.224, 0.225)


@keras.saving.register_keras_serializable(package="wsseg")
class ImagePreprocessing(keras.layers.Layer):
    """The preprocessing of `keras.applications`, as a layer, so that no user of a model can forget it.

    It computes in float32, also under mixed precision, and then casts to the compute dtype. Resized 8-bit images
    have fractional values, which would lose bits in float16 before they are centred.

    Args:
        mode: "caffe": RGB to BGR, minus (103.939, 116.779, 123.68). "tf": x / 127.5 - 1. "torch":
            (x / 255 - mean) / std of ImageNet. "none": x unchanged.

    Raises:
        InputError: The mode is unknown.

    Example:
        >>> import numpy as np
        >>> ImagePreprocessing("tf")(np.array([[[[0.0, 127.5, 255.0]]]])).numpy().ravel().tolist()
        [-1.0, 0.0, 1.0]
    """

    output_grid = same

    def __init__(self, mode: str, **kwargs: Any):
        if mode not in MODES:
            raise InputError(f"unknown preprocessing `mode` {mode!r}; {nearest(str(mode), MODES)}")
        super().__init__(autocast=False, **kwargs)
        self.mode = mode

    def call(self, images):
        """Preprocess images.

        Args:
            images: `(B, H, W, 3)` RGB in [0, 255], any dtype.

        Returns:
            `(B, H, W, 3)` in the layer's compute dtype.
        """
        x = ops.cast(images, keras.backend.result_type("float32", self.compute_dtype))
        if self.mode == "tf":
            x = x / 127.5 - 1.0
        elif self.mode == "torch":
            x = (x / 255.0 - ops.array(TORCH_MEAN_RGB, x.dtype)) / ops.array(TORCH_STD_RGB, x.dtype)
        elif self.mode == "caffe":
            x = ops.flip(x, axis=-1) - ops.array(CAFFE_MEAN_BGR, x.dtype)
        return ops.cast(x, self.compute_dtype)

    def compute_output_shape(self, input_shape):
        """Return the input's shape."""
        return input_shape

    def get_config(self) -> dict[str, Any]:
        """Return the constructor's arguments."""
        return super().get_config() | {"mode": self.mode}
