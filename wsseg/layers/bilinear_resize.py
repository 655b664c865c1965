"""Bilinear resizing of one feature map to the size of another, for networks of any input size."""

from typing import Any

import keras
from keras import ops

from wsseg.layers.grid_rules import resampled


def _weights(before, after, shift, step, dtype):
    """Return the `(after, before)` matrix that interpolates one axis linearly."""
    ratio = ops.cast(before, "float32") / ops.cast(after, "float32") if step is None else step
    position = (ops.arange(after, dtype="float32") + 0.5) * ratio - 0.5 + shift
    position = ops.clip(position, 0.0, ops.cast(before, "float32") - 1.0)
    distance = ops.abs(position[:, None] - ops.arange(before, dtype="float32")[None])
    return ops.cast(ops.maximum(1.0 - distance, 0.0), dtype)


def resize_bilinear(
    features,
    size_hw,
    shift_hw: tuple[float, float] = (0.0, 0.0),
    step_hw: tuple[float, float] | None = None,
):
    """Resize `(B, h, w, C)` bilinearly with half-pixel centres; the sizes may be tensors.

    It uses `ops.image.resize` where possible. That function has no shift and needs sizes that are known when the graph
    is traced. Otherwise this function multiplies by one matrix per axis.

    Args:
        features: A tensor, not a symbolic one.
        size_hw: `(H, W)`, each an integer or a scalar tensor.
        shift_hw: See `BilinearResizeTo`.
        step_hw: See `BilinearResizeTo`.

    Returns:
        `(B, H, W, C)`.
    """
    before_hw = ops.shape(features)[1:3]
    pairs = list(zip(before_hw, size_hw))
    known = all(isinstance(side, int) for pair in pairs for side in pair)
    steps = (None, None) if step_hw is None else tuple(step_hw)
    plain = known and tuple(shift_hw) == (0.0, 0.0)
    plain = plain and all(step in (None, pair[0] / pair[1]) for step, pair in zip(steps, pairs))
    if plain and not any(_meets_a_cell(*pair) for pair in pairs):
        return ops.image.resize(features, size_hw, interpolation="bilinear", data_format="channels_last")
    rows, columns = (
        _weights(*pair, shift, step, features.dtype) for pair, shift, step in zip(pairs, shift_hw, steps)
    )
    return ops.einsum("xw,bywc->byxc", columns, ops.einsum("yh,bhwc->bywc", rows, features))


def _meets_a_cell(before: int, after: int) -> bool:
    """Say whether some pixel of the result lies exactly on a cell of the input, as with every odd factor.

    In this case XLA's resizing may read the neighbouring cell instead, because it rounds the position and the
    weight differently (tensorflow issue 118344, seen in 2.21 for most sizes at factors 3, 5 and 7).
    """
    return before > 1 and any(((2 * i + 1) * before - after) % (2 * after) == 0 for i in range(after))


@keras.saving.register_keras_serializable(package="wsseg")
class BilinearResizeTo(keras.layers.Layer):
    """Resize features bilinearly, with half-pixel centres, to the height and width of a second tensor.

    Pixel `i` of the result lies at `(i + 0.5) * h / H - 0.5` of the input, clamped at the borders, as in
    TensorFlow and in PyTorch with `align_corners=False`.

    Args:
        shift_hw: Shift of these positions, in cells of the input. It is for features whose cells do not look where
            the rule above assumes (`wsseg.backbones.alignment`).
        step_hw: Distance between two pixels of the result, in cells of the input; it replaces `h / H`. Features of a
            network are one stride apart, also where the stride does not divide the image's size. None for `h / H`.

    Example:
        >>> import numpy as np
        >>> small = np.array([[[[0.0], [4.0]]]])  # (1, 1, 2, 1)
        >>> BilinearResizeTo()([small, np.zeros((1, 1, 4, 7))])[0, 0, :, 0].numpy().tolist()
        [0.0, 1.0, 3.0, 4.0]
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
        return resize_bilinear(features, ops.shape(like)[1:3], self.shift_hw, self.step_hw)

    def get_config(self):
        """Return the constructor's arguments."""
        return super().get_config() | {"shift_hw": self.shift_hw, "step_hw": self.step_hw}

    def compute_output_shape(self, input_shape):
        """Return `(B, H, W, C)`."""
        features, like = input_shape
        return (features[0], like[1], like[2], features[3])
