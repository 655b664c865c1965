"""What a layer does to the grid of its input: the rules that layers name as their `output_grid`.

Every layer of wsseg has a method `output_grid(input_shape)`: one of these functions, or one of its own. Keras' layers
stand in a table, `wsseg.backbones.layer_grids`.
"""

import enum
from collections.abc import Callable
from typing import Any

from wsseg.grid import IMAGE, Grid


class Unknown(enum.Enum):
    """Why it is not known where the cells behind a layer look."""

    WHOLE = "each value comes from the whole image"
    RESAMPLED = "the layer resamples, and where its cells then look is not computed"
    NO_RULE = "no rule says what the layer does to the places of cells"


Rule = Callable[[Any, tuple[int | None, ...]], Grid | Unknown]
"""`rule(layer, input_shape)`: where the cells of the first output look, in cells of the input `(B, h, w, C)`."""


def same(layer: Any, input_shape: tuple[int | None, ...]) -> Grid:
    """Return the grid of a layer whose cells look where its input's do."""
    return IMAGE


def whole_image(layer: Any, input_shape: tuple[int | None, ...]) -> Unknown:
    """Say that the result is of the whole image, what it was filled up with included."""
    return Unknown.WHOLE


def resampled(layer: Any, input_shape: tuple[int | None, ...]) -> Unknown:
    """Say that the layer resamples in a way that is not computed."""
    return Unknown.RESAMPLED


def windowed(layer: Any, input_shape: tuple[int | None, ...]) -> Grid:
    """Return the grid of a convolution or pooling, from the attributes that Keras' have.

    For a window of `k` taps at rate `d` with `b` cells of padding before, a cell looks at `(k - 1) d / 2 - b` and on by
    the stride. "Same" padding with a stride follows TensorFlow's rule for the input's size, and that for an even size
    where it is not known.

    Args:
        layer: With `kernel_size` or `pool_size`; `dilation_rate` and `strides` are 1 and `padding` is "valid" where it
            has none. `padding` may be pairs of numbers, `((top, bottom), (left, right))`.
        input_shape: `(B, h, w, C)`; None for what is not known.
    """
    window = pair(getattr(layer, "kernel_size", None) or layer.pool_size)
    rates = pair(getattr(layer, "dilation_rate", 1))
    strides = pair(getattr(layer, "strides", 1) or 1)
    padding = getattr(layer, "padding", "valid")
    centres = []
    for axis in (0, 1):
        reach = (window[axis] - 1) * rates[axis]
        if padding == "same":
            before = _same_padding(input_shape[1 + axis], reach + 1, strides[axis]) // 2
        elif padding in ("valid", "end"):
            before = 0
        else:
            before = padding[axis][0]
        centres.append(reach / 2 - before)
    return Grid((float(strides[0]), float(strides[1])), (centres[0], centres[1]))


def pair(value: Any) -> tuple[int, int]:
    """Return a number for height and for width: one stands for both."""
    return (value, value) if isinstance(value, int) else tuple(value)


def _same_padding(size: int | None, reach: int, stride: int) -> int:
    if size is None:
        size = 2 * stride * reach  # a multiple of the stride
    return max((-(-size // stride) - 1) * stride + reach - size, 0)
