"""Nearest-neighbour resizing of one feature map to the size of another."""

from typing import Any

import keras
from keras import ops

from wsseg.layers.grid_rules import resampled


@keras.saving.register_keras_serializable(package="wsseg")
class NearestResizeTo(keras.layers.Layer):
    """Resize features to the height and width of a second tensor: each cell of the result copies the nearest cell.

    Cell `i` of the result lies at `(i + 0.5) * h / H - 0.5` of the input, as with `BilinearResizeTo`. If two cells
    are equally near, the first is taken. At twice the size this is cell `i // 2`, as with
    `keras.layers.UpSampling2D`, which supports only integer factors.

    Args:
        shift_hw: Shift of these positions, in cells of the input. It is for features whose cells do not look where
            the rule above assumes (`wsseg.backbones.alignment`).
        step_hw: Distance between two cells of the result, in cells of the input. See `BilinearResizeTo`.

    Example:
        >>> import numpy as np
        >>> small = np.array([[[[1.0], [2.0]]]])  # (1, 1, 2, 1)
        >>> NearestResizeTo()([small, np.zeros((1, 1, 5, 7))])[0, 0, :, 0].numpy().tolist()
        [1.0, 1.0, 1.0, 2.0, 2.0]
    """

    output_grid = resampled

    def __init__(
        self,
        shift_hw: tuple[float, float] = (0.0, 0.0),
        step_hw: tuple[float, float] | None = None,
        **kwargs: Any,
    ):
        super().__init__(**kwargs)
        self.shift_hw = tuple(float(shift) for shift in shift_hw)
        self.step_hw = None if step_hw is None else tuple(float(step) for step in step_hw)

    def call(self, inputs):
        """Resize `inputs[0]`, `(B, h, w, C)`, to the size of `inputs[1]`, `(B, H, W, any)`."""
        features, like = inputs
        for axis, shift, step in zip((1, 2), self.shift_hw, self.step_hw or (None, None)):
            before, after = ops.shape(features)[axis], ops.shape(like)[axis]
            ratio = step or ops.cast(before, "float32") / ops.cast(after, "float32")
            position = (ops.arange(after, dtype="float32") + 0.5) * ratio - 0.5 + shift
            # Rounding errors must not decide halfway between two cells, so the limit is moved by 0.001 cells.
            nearest = ops.cast(ops.ceil(position - 0.501), "int32")
            features = ops.take(features, ops.clip(nearest, 0, before - 1), axis=axis)
        return features

    def compute_output_shape(self, input_shape):
        """Return `(B, H, W, C)`."""
        features, like = input_shape
        return (features[0], like[1], like[2], features[3])

    def get_config(self) -> dict[str, Any]:
        """Return the constructor's arguments."""
        return super().get_config() | {"shift_hw": self.shift_hw, "step_hw": self.step_hw}
