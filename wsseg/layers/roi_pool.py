"""RoIPool: the maximum of each bin of a region, with coordinates rounded to whole cells (Fast R-CNN)."""

from typing import Any

import keras
from keras import ops

from wsseg.errors import InputError, require_whole
from wsseg.layers.grid_rules import resampled


@keras.saving.register_keras_serializable(package="wsseg")
class RoIPool(keras.layers.Layer):
    """Divide regions of one feature map into bins of whole cells and take each bin's maximum.

    As in Fast R-CNN's code, the region's corners are divided by the stride and rounded (halves up) to the first and
    the *last* cell. In a region with a side of `side` cells, bin `i` of `n` covers cells `floor(i * side / n)` to
    `ceil((i + 1) * side / n) - 1`, so bins overlap where `n` does not divide `side`. A bin outside the map is 0.

    The maximum over a rectangle is the maximum of four windows whose sides are powers of two. The maps of window maxima
    are computed once for all regions.

    Args:
        stride: Pixels per cell.
        output_size: Number of bins per side.

    Raises:
        InputError: An option is not a whole number from 1.

    Example:
        >>> import numpy as np
        >>> features = np.arange(16, dtype="float32").reshape(1, 4, 4, 1)
        >>> region = np.array([[[0.0, 0.0, 4.0, 4.0]]])  # cells 0 and 1 of each axis
        >>> RoIPool(4, output_size=1)([features, region]).numpy().ravel().tolist()
        [5.0]

    References:
        Girshick, Fast R-CNN, ICCV 2015, section 2.1, and its public code.
    """

    output_grid = resampled

    def __init__(self, stride: int, output_size: int = 7, **kwargs: Any):
        super().__init__(autocast=False, **kwargs)  # float16 is too coarse for coordinates
        self.stride = require_whole("stride", stride, hint="try 16")
        self.output_size = require_whole("output_size", output_size, hint="try 7")

    def call(self, inputs):
        """Read the regions `inputs[1]`, `(B, R, 4)` xyxy, from the map `inputs[0]`, `(B, h, w, C)` of known size."""
        features, rois = inputs
        height, width = features.shape[1:3]
        if height is None or width is None:
            raise InputError("RoIPool needs a map whose size is known; build the network with `input_size`")
        tables, exponents = _window_maxima(features)
        corners = ops.cast(
            ops.floor(ops.stop_gradient(ops.cast(rois, "float32")) / self.stride + 0.5), "int32"
        )
        top, bottom = self._bins(corners[..., 1], corners[..., 3], height)
        left, right = self._bins(corners[..., 0], corners[..., 2], width)
        level_h, level_w = _log2(bottom - top), _log2(right - left)  # (B, R, n)
        batch, channels = ops.shape(features)[0], features.shape[-1]
        table = (level_h[..., :, None] * exponents + level_w[..., None, :]) * batch
        table = (table + ops.cast(ops.arange(batch), "int32")[:, None, None, None]) * (height * width)
        cells = ops.reshape(tables, (-1, channels))
        best = None
        for row in (top, bottom - _power(level_h)):
            for column in (left, right - _power(level_w)):
                inside = ops.clip(row, 0, height - 1)[..., :, None] * width
                index = table + inside + ops.clip(column, 0, width - 1)[..., None, :]
                found = ops.take(cells, index, axis=0)
                best = found if best is None else ops.maximum(best, found)
        empty = (bottom <= top)[..., :, None] | (right <= left)[..., None, :]
        return ops.cast(ops.where(empty[..., None], 0.0, best), self.compute_dtype)

    def _bins(self, first, last, side: int):
        """Return each bin's first cell and the cell after its last one, both `(B, R, output_size)` int32."""
        length = ops.maximum(last - first + 1, 1)[..., None]
        bins = ops.arange(self.output_size, dtype="int32")
        start = first[..., None] + ops.floor_divide(bins * length, self.output_size)
        stop = first[..., None] - ops.floor_divide(-(bins + 1) * length, self.output_size)
        return ops.clip(start, 0, side), ops.clip(stop, 0, side)

    def compute_output_shape(self, input_shape):
        """Return `(B, R, output_size, output_size, C)`."""
        features, rois = input_shape
        return (*rois[:2], self.output_size, self.output_size, features[-1])

    def get_config(self) -> dict[str, Any]:
        """Return the constructor's arguments."""
        return super().get_config() | {"stride": self.stride, "output_size": self.output_size}


def _window_maxima(features):
    """Return J and the maxima over windows of 2^i x 2^j cells that start at each cell, `(I, J, B, h, w, C)`."""
    height, width = features.shape[1:3]
    rows = [features]
    while 2 ** len(rows) <= height:
        rows.append(_doubled(rows[-1], 2 ** (len(rows) - 1), 1))
    table = []
    for one in rows:
        columns = [one]
        while 2 ** len(columns) <= width:
            columns.append(_doubled(columns[-1], 2 ** (len(columns) - 1), 2))
        table.append(ops.stack(columns))
    return ops.stack(table), width.bit_length()


def _doubled(windows, step: int, axis: int):
    """Return the maximum of each window and the one `step` cells further on, or the last one if that is outside."""
    size = windows.shape[axis]
    index = ops.minimum(ops.arange(size) + step, size - 1)
    return ops.maximum(windows, ops.take(windows, index, axis=axis))


def _log2(number):
    """Return the largest exponent whose power of two is at most `number`; 0 for numbers below 2."""
    powers = ops.cast([2**i for i in range(1, 16)], "int32")
    return ops.sum(ops.cast(number[..., None] >= powers, "int32"), axis=-1)


def _power(exponent):
    return ops.left_shift(ops.ones_like(exponent), exponent)
