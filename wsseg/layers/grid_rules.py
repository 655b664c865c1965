"""What a layer does to the grid of its input: the rules that layers use as their `output_grid`.

Every layer of wsseg has a method `output_grid(input_shape)`: one of these functions, or one of its own. The rules of
Keras' layers are in the table of `wsseg.backbones.layer_grids`.
"""

import enum
from collections.abc import Callable
from typing import Any

from wsseg.grid import IMAGE, Grid


class Unknown(enum.Enum):
    """The reason why it is unknown where the cells of a layer's output look."""

    WHOLE = "each value comes from the whole image"
    RESAMPLED = "the layer resamples, and where its cells then look is not computed"
    NO_RULE = "no rule says what the layer does to the places of cells"
    MIXED = "no stride and centre say where the cells look"
    VARIES = "where the cells look depends on the size of the image, or differs from call to call"


Rule = Callable[[Any, tuple[int | None, ...]], Grid | Unknown]
"""`rule(layer, input_shape)`: where the cells of the first output look, in cells of the input `(B, h, w, C)`."""


def same(layer: Any, input_shape: tuple[int | None, ...]) -> Grid:
    """Return the grid of a layer whose output cells look where its input cells do."""
    return IMAGE


def whole_image(layer: Any, input_shape: tuple[int | None, ...]) -> Unknown:
    """Say that each value of the result comes from the whole image, padding included."""
    return Unknown.WHOLE


def resampled(layer: Any, input_shape: tuple[int | None, ...]) -> Unknown:
    """Say that the layer resamples, and that the resulting grid is not computed."""
    return Unknown.RESAMPLED


def windowed(layer: Any, input_shape: tuple[int | None, ...]) -> Grid:
    """Return the grid of a convolution or pooling, from the attributes that Keras' layers have.

    For a window of `k` taps at rate `d` with `b` cells of padding before it, the first cell looks at
    `(k - 1) * d / 2 - b`; each further cell looks one stride further on. Strided "same" padding follows TensorFlow's
    rule for the input's size. An unknown size is taken as a multiple of the stride.

    Args:
        layer: A layer with `kernel_size` or `pool_size`. If it lacks them, `dilation_rate` and `strides` are taken as
            1 and `padding` as "valid". `padding` may be pairs of numbers, `((top, bottom), (left, right))`.
        input_shape: `(B, h, w, C)`; None for a size that is not known.
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
    """Return one number for height and one for width; a single number stands for both."""
    return (value, value) if isinstance(value, int) else tuple(value)


def _same_padding(size: int | None, reach: int, stride: int) -> int:
    if size is None:
        size = 2 * stride * reach  # a multiple of the stride
    return max((-(-size // stride) - 1) * stride + reach - size, 0)
