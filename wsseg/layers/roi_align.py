"""RoIAlign: features of regions at a fixed size, by bilinear sampling without any rounding of coordinates."""

from collections.abc import Sequence
from typing import Any

import keras
from keras import ops

from wsseg.errors import InputError, is_whole, require_whole
from wsseg.layers.grid_rules import resampled

CANONICAL_SIDE = 224
"""Side, in pixels, of the smallest square region that is read from `CANONICAL_LEVEL` (Lin et al. 2017, section 4.2)."""
CANONICAL_LEVEL = 4


def align(flat, rois_xyxy, start, size_hw, scale, output_size: int, samples: int):
    """Sample regions from feature maps that lie one after the other in memory.

    Args:
        flat: `(B, L, C)`: the cells of all maps of an image, row by row.
        rois_xyxy: `(B, R, 4)`: left, top, right, bottom in pixels.
        start: `(B, R)` int: the index in `flat` where the map of each region begins.
        size_hw: Two arrays `(B, R)` int: height and width of that map, cells.
        scale: `(B, R)` float: cells per pixel of that map.
        output_size: Number of bins per side.
        samples: Number of sampling points per bin and side; their mean is the bin's value.

    Returns:
        `(B, R, output_size, output_size, C)` float32. The regions get no gradient.
    """
    rois = ops.stop_gradient(ops.cast(rois_xyxy, "float32")) * scale[..., None]
    left, top, right, bottom = (rois[..., i] - 0.5 for i in range(4))
    rows = _axis(top, bottom, size_hw[0], output_size, samples)
    columns = _axis(left, right, size_hw[1], output_size, samples)
    batch, length = ops.shape(flat)[:2]
    cells = ops.reshape(flat, (-1, flat.shape[-1]))
    first = ops.cast(ops.arange(batch), "int32")[:, None] * length + start
    total = 0.0
    # One corner of one sampling point at a time: with two samples, 16 passes of the result's size need less memory
    # than one pass of 16 times that size.
    for row, row_weight in rows:
        for column, column_weight in columns:
            index = (
                first[..., None, None] + row[..., None] * size_hw[1][..., None, None] + column[..., None, :]
            )
            weight = row_weight[..., None] * column_weight[..., None, :]
            total = total + weight[..., None] * ops.cast(ops.take(cells, index, axis=0), "float32")
    return total / samples**2


def _axis(low, high, side, output_size: int, samples: int) -> list[tuple]:
    """Return the cells and weights, `(B, R, output_size)`, of each sample and corner along one axis."""
    limit = ops.cast(side, "float32")[..., None]
    width = (high - low)[..., None] / output_size
    found = []
    for sample in range(samples):
        bins = ops.arange(output_size, dtype="float32") + (sample + 0.5) / samples
        position = low[..., None] + bins * width
        inside = ops.cast((position >= -1) & (position <= limit), "float32")
        position = ops.clip(position, 0.0, limit - 1)
        before = ops.floor(position)
        share = position - before
        after = ops.minimum(before + 1, limit - 1)
        found.append((ops.cast(before, "int32"), inside * (1 - share)))
        found.append((ops.cast(after, "int32"), inside * share))
    return found


@keras.saving.register_keras_serializable(package="wsseg")
class RoIAlign(keras.layers.Layer):
    """Read regions from one feature map, or each from the level of a pyramid that fits its size.

    Pixel and cell coordinates count edges: cell `i` of a map of stride `s` covers pixels `s * i` to `s * (i + 1)`, and
    its value lies at the centre, `s * (i + 0.5)` (half-pixel centres; `aligned=True` in torchvision and Detectron2). A
    bin's value is the mean of `samples` x `samples` bilinear samples. A sample at most one cell outside the border
    takes the border's value; a sample further outside is 0.

    With a pyramid, a region of `w` x `h` pixels is read from level `floor(4 + log2(sqrt(w * h) / 224))`, or from the
    nearest level that exists. Level n has stride 2^n.

    Args:
        strides: Pixels per cell of each map, ascending powers of two.
        output_size: Number of bins per side.
        samples: Number of sampling points per bin and side.

    Raises:
        InputError: `strides` are not ascending powers of two, or another option is not a whole number from 1.

    Example:
        >>> import numpy as np
        >>> features = np.arange(16, dtype="float32").reshape(1, 4, 4, 1)
        >>> region = np.array([[[0.0, 0.0, 8.0, 8.0]]])  # the four cells in the corner
        >>> RoIAlign([4], output_size=1)([features, region]).numpy().ravel().tolist()
        [2.5]

    References:
        He et al., Mask R-CNN, ICCV 2017, section 3. Lin et al., Feature Pyramid Networks, CVPR 2017, equation 1.
    """

    output_grid = resampled

    def __init__(self, strides: Sequence[int], output_size: int = 7, samples: int = 2, **kwargs: Any):
        super().__init__(autocast=False, **kwargs)  # float16 is too coarse for coordinates
        self.strides = check_strides(strides)
        self.output_size = require_whole("output_size", output_size, hint="try 7")
        self.samples = require_whole("samples", samples, hint="try 2")

    def call(self, inputs):
        """Read regions `inputs[-1]`, `(B, R, 4)` xyxy, from maps `inputs[:-1]`, `(B, h, w, C)`, finest first."""
        *features, rois = inputs
        flat, starts, heights, widths = flatten_levels(features)
        level = levels_of(rois, self.strides)

        def pick(values, dtype="int32"):
            return ops.take(ops.cast(ops.stack(list(values)), dtype), level, axis=0)

        found = align(
            flat,
            rois,
            pick(starts),
            (pick(heights), pick(widths)),
            pick([1 / stride for stride in self.strides], "float32"),
            self.output_size,
            self.samples,
        )
        return ops.cast(found, self.compute_dtype)

    def compute_output_shape(self, input_shape):
        """Return `(B, R, output_size, output_size, C)`."""
        first, *_, rois = input_shape
        return (*rois[:2], self.output_size, self.output_size, first[-1])

    def get_config(self) -> dict[str, Any]:
        """Return the constructor's arguments."""
        own = {"strides": self.strides, "output_size": self.output_size, "samples": self.samples}
        return super().get_config() | own


def check_strides(strides: Sequence[int]) -> tuple[int, ...]:
    """Return strides as a tuple.

    Raises:
        InputError: They are not ascending powers of two.
    """
    found = tuple(strides)
    powers = all(is_whole(stride, 1) and stride & (stride - 1) == 0 for stride in found)
    if not found or not powers or list(found) != sorted(set(found)):
        raise InputError(
            f"`strides` must be ascending powers of two, one per map; got {strides!r}; try (4, 8, 16, 32)"
        )
    return tuple(map(int, found))


def levels_of(rois_xyxy, strides: Sequence[int]):
    """Return the index in `strides` of the map that each region `(..., 4)` is read from, int32."""
    if len(strides) == 1:
        return ops.zeros_like(rois_xyxy[..., 0], dtype="int32")
    rois = ops.cast(rois_xyxy, "float32")
    area = ops.maximum(rois[..., 2] - rois[..., 0], 0) * ops.maximum(rois[..., 3] - rois[..., 1], 0)
    # log2 of the square root, plus 1e-6, so that a side of exactly 224 is not rounded down to the level below.
    level = ops.floor(CANONICAL_LEVEL + 0.5 * ops.log2(ops.maximum(area, 1e-6) / CANONICAL_SIDE**2) + 1e-6)
    numbers = [stride.bit_length() - 1 for stride in strides]
    there = ops.cast(numbers, "float32")
    return ops.cast(ops.sum(ops.cast(level[..., None] >= there[1:], "int32"), axis=-1), "int32")


def flatten_levels(features: Sequence) -> tuple:
    """Concatenate the cells of maps `(B, h, w, C)`.

    Returns:
        The cells, `(B, sum of h * w, C)`; and three lists with one entry per map: its start, height and width.
    """
    starts, heights, widths, end = [], [], [], 0
    for one in features:
        height, width = ops.shape(one)[1:3]
        starts.append(end)
        heights.append(height)
        widths.append(width)
        end = end + height * width
    flat = [ops.reshape(one, (ops.shape(one)[0], -1, one.shape[-1])) for one in features]
    return (flat[0] if len(flat) == 1 else ops.concatenate(flat, axis=1)), starts, heights, widths
