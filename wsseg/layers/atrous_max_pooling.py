"""Max pooling at stride 1 over a dilated window: it replaces a strided pooling at a smaller output stride."""

from typing import Any

import keras
from keras import ops

from wsseg.errors import InputError, is_whole
from wsseg.layers.grid_rules import windowed

Pads = tuple[tuple[int, int], tuple[int, int]]


@keras.saving.register_keras_serializable(package="wsseg")
class AtrousMaxPooling2D(keras.layers.Layer):
    """Maximum over the window `x[i + a * rate, j + b * rate]`, `a < kh`, `b < kw`, at each position.

    `keras.layers.MaxPooling2D` has no dilation. The padding value is minus infinity, so padding is never the
    maximum (each window must therefore contain at least one value of the input).

    Args:
        pool_size: Size `(kh, kw)` of the window, or one integer for both.
        dilation_rate: Distance `(rate_h, rate_w)` between the window's elements, or one integer for both.
        padding: "end" or explicit `((top, bottom), (left, right))`. With "end" the window starts at its position,
            the part past the end of the map is padding, and the output has the input's size; with rate r, every
            r-th output value is the pooling of every r-th input value. With explicit padding the output has
            `H + top + bottom - (kh - 1) * rate_h` rows.

    Raises:
        InputError: A size or rate is not a positive integer, or `padding` has another form.

    Example:
        >>> import numpy as np
        >>> row = np.array([1.0, 5.0, 2.0, 0.0]).reshape(1, 1, 4, 1)
        >>> AtrousMaxPooling2D((1, 2), dilation_rate=2)(row).numpy().ravel().tolist()
        [2.0, 5.0, 2.0, 0.0]
    """

    output_grid = windowed

    def __init__(
        self,
        pool_size: int | tuple[int, int],
        dilation_rate: int | tuple[int, int] = 1,
        padding: str | Pads = "end",
        **kwargs: Any,
    ):
        super().__init__(**kwargs)
        self.pool_size = _pair(pool_size, "pool_size")
        self.dilation_rate = _pair(dilation_rate, "dilation_rate")
        reach = [(k - 1) * rate for k, rate in zip(self.pool_size, self.dilation_rate)]
        if padding == "end":
            padding = tuple((0, r) for r in reach)
        try:
            (top, bottom), (left, right) = padding
            pads = [int(value) for value in (top, bottom, left, right)]
        except (TypeError, ValueError):
            pads = [-1]
        if min(pads) < 0:
            raise InputError(
                f"`padding` must be 'end' or ((top, bottom), (left, right)) of integers from 0; "
                f"got {padding!r}"
            )
        self.padding: Pads = ((pads[0], pads[1]), (pads[2], pads[3]))

    def call(self, inputs):
        """Pool `(B, H, W, C)`, each channel separately."""
        x = ops.pad(inputs, ((0, 0), *self.padding, (0, 0)), constant_values=float("-inf"))
        # A maximum over rows, then one over columns: k + k slices instead of k * k.
        return self._maximum(self._maximum(x, 0), 1)

    def _maximum(self, x, axis: int):
        reach = (self.pool_size[axis] - 1) * self.dilation_rate[axis]
        result = None
        for offset in range(0, reach + 1, self.dilation_rate[axis]):
            # The end of the slice is counted from the back, so the size may be unknown when the model is built.
            part = slice(offset, (offset - reach) or None)
            view = x[:, part] if axis == 0 else x[:, :, part]
            result = view if result is None else ops.maximum(result, view)
        return result

    def compute_output_shape(self, input_shape):
        """Return `(B, H', W', C)`."""
        size_hw = [
            None if n is None else n + begin + end - (k - 1) * rate
            for n, (begin, end), k, rate in zip(
                input_shape[1:3], self.padding, self.pool_size, self.dilation_rate
            )
        ]
        return (input_shape[0], *size_hw, input_shape[3])

    def get_config(self) -> dict[str, Any]:
        """Return the constructor's arguments."""
        return super().get_config() | {
            "pool_size": self.pool_size,
            "dilation_rate": self.dilation_rate,
            "padding": self.padding,
        }


def _pair(value: int | tuple[int, int], option: str) -> tuple[int, int]:
    pair = (value, value) if isinstance(value, int) else tuple(value)
    if len(pair) != 2 or not all(is_whole(v, 1) for v in pair):
        raise InputError(f"`{option}` must be one or two positive integers; got {value!r}; try 2 or (2, 2)")
    return int(pair[0]), int(pair[1])
