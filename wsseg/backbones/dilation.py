"""Rewrite the config of one layer whose input is denser than in the original network.

If the input is oversampled r times (input_dense[r * i] == input[i]), the rewritten layer gives an output that is
oversampled r times: a window reads every r-th element (dilation r), and the padding is r times as wide. If the stride
is removed, the output is oversampled r * stride times.
"""

import copy
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import Any

from keras import saving

from wsseg.errors import InputError
from wsseg.layers.atrous_max_pooling import AtrousMaxPooling2D

Entry = dict[str, Any]
Pads = tuple[tuple[int, int], tuple[int, int]]

NO_PADS: Pads = ((0, 0), (0, 0))

CONVOLUTIONS = {"Conv2D", "DepthwiseConv2D", "SeparableConv2D"}
MAX_POOLINGS = {"MaxPooling2D", "AtrousMaxPooling2D"}
WINDOWS = CONVOLUTIONS | MAX_POOLINGS | {"AveragePooling2D"}
UPSAMPLINGS = {"UpSampling2D", "Conv2DTranspose"}


@dataclass(frozen=True)
class Grid:
    """Where the positions of a feature map lie.

    Attributes:
        stride: Pixels of the network's input between two positions, after the rewriting.
        rate: Oversampling factor compared with the original network.
        size_hw: Height and width of this map in the original network; None where they aren't fixed.
        padded: Whether a `ZeroPadding2D` has already added the zeros that the next window needs.
    """

    stride: int | Fraction
    rate: int
    size_hw: tuple[int | None, int | None]
    padded: bool = False


@dataclass(frozen=True)
class Rewritten:
    """A layer's new config entry, the zeros to add before it, and the grid of its output (None: no positions)."""

    entry: Entry
    grid: Grid | None
    zeros: Pads = NO_PADS


@dataclass(frozen=True)
class Window:
    """The window of a convolution or pooling in the original network."""

    kernel_hw: tuple[int, int]
    dilation_hw: tuple[int, int]
    stride: int
    padding: str | Pads

    def span(self, axis: int) -> int:
        """Return the number of positions from the window's first element to its last."""
        return (self.kernel_hw[axis] - 1) * self.dilation_hw[axis] + 1

    def loses_stride(self, grid: Grid, limit: float) -> bool:
        """Tell whether the stride becomes dilation: from the first layer on whose stride would pass the limit."""
        return self.stride > 1 and (grid.rate > 1 or grid.stride * self.stride > limit)

    def size(self, axis: int, size: int | None) -> int | None:
        """Return the size of the original output along one axis."""
        if size is None:
            return None
        if self.padding == "same":
            return -(-size // self.stride)
        return (size + sum(self.padding[axis]) - self.span(axis)) // self.stride + 1

    def pads(self, axis: int, grid: Grid, loses_stride: bool) -> tuple[int, int]:
        """Return the numbers of zeros before and after, in positions of the dense input.

        The zeros before are r times those of the original, which keeps the alignment. The zeros after make the dense
        output as long as the original output times its oversampling, so that branches that are added still fit. Where
        sizes aren't fixed, the original size is taken as divisible by its stride.
        """
        span, rate = self.span(axis), grid.rate
        if self.padding == "same":
            # TensorFlow's rule (tf.nn): the smaller half of the zeros comes first.
            rest = (grid.size_hw[axis] or 0) % self.stride
            before = max(span - (rest or self.stride), 0) // 2
            return before * rate, (span - 1 - before) * rate
        before, after = self.padding[axis]
        if loses_stride:
            steps = (before + after - span) // self.stride + 1
            after = self.stride * steps + span - 1 - before
        return before * rate, after * rate


def window_of(entry: Entry) -> Window:
    """Read the window of a convolution's or pooling's config entry."""
    config = entry["config"]
    strides = config.get("strides") or (1, 1)
    if config.get("data_format", "channels_last") != "channels_last":
        raise InputError(f"layer `{entry['name']}` has `data_format` channels_first; use channels_last")
    if strides[0] != strides[1]:
        raise InputError(
            f"layer `{entry['name']}` has strides {tuple(strides)}; the output stride can be chosen only for "
            "networks with the same stride along height and width"
        )
    padding = config["padding"]
    if not isinstance(padding, str):
        padding = tuple(tuple(pair) for pair in padding)
    elif padding.lower() == "same":
        padding = "same"
    else:
        padding = NO_PADS
    return Window(
        kernel_hw=tuple(config.get("kernel_size") or config["pool_size"]),
        dilation_hw=tuple(config.get("dilation_rate") or (1, 1)),
        stride=strides[0],
        padding=padding,
    )


def dilate_window(entry: Entry, grid: Grid, limit: float) -> Rewritten:
    """Rewrite a convolution or pooling.

    Args:
        entry: Its config entry in the original network.
        grid: Grid of its input.
        limit: Wanted output stride.

    Returns:
        The rewritten layer; the same layer if nothing changes.

    Raises:
        InputError: An average pooling would need dilation.
    """
    window = window_of(entry)
    loses = window.loses_stride(grid, limit)
    size_hw = tuple(window.size(axis, grid.size_hw[axis]) for axis in (0, 1))
    if not loses and grid.rate == 1:
        return Rewritten(entry, Grid(grid.stride * window.stride, 1, size_hw))
    if entry["class_name"] not in CONVOLUTIONS | MAX_POOLINGS:
        raise undilatable(entry, "an average over a dilated window isn't implemented")

    zeros = NO_PADS if grid.padded else tuple(window.pads(axis, grid, loses) for axis in (0, 1))
    dilation = [d * grid.rate for d in window.dilation_hw]
    out = Grid(grid.stride, grid.rate * (window.stride if loses else 1), size_hw)
    new = {key: value for key, value in copy.deepcopy(entry).items() if key != "build_config"}
    if entry["class_name"] in MAX_POOLINGS:
        pooling = AtrousMaxPooling2D(window.kernel_hw, tuple(dilation), zeros, name=entry["config"]["name"])
        serialised = saving.serialize_keras_object(pooling)
        serialised["config"]["dtype"] = entry["config"]["dtype"]
        new.update({key: value for key, value in serialised.items() if key != "build_config"})
        return Rewritten(new, out)

    same = tuple(
        ((k - 1) * d // 2, (k - 1) * d - (k - 1) * d // 2) for k, d in zip(window.kernel_hw, dilation)
    )
    new["config"].update(strides=[1, 1], dilation_rate=dilation, padding="valid")
    if zeros == same and zeros != NO_PADS:  # the layer can pad itself: no padding layer is needed
        new["config"]["padding"] = "same"
        zeros = NO_PADS
    return Rewritten(new, out, zeros)


def dilate_zero_padding(entry: Entry, grid: Grid, limit: float, consumer: Entry | None) -> Rewritten:
    """Rewrite a `ZeroPadding2D`.

    Args:
        entry: Its config entry.
        grid: Grid of its input.
        limit: Wanted output stride.
        consumer: The layer that reads it, if there is exactly one. If this is a window without own padding, the two
            are rewritten together.

    Returns:
        The padding; its grid is marked `padded` if it was rewritten with its consumer.
    """
    pads = tuple(tuple(pair) for pair in entry["config"]["padding"])
    sizes = zip(grid.size_hw, pads)
    out = replace(
        grid, size_hw=tuple(None if n is None else n + sum(pair) for n, pair in sizes), padded=False
    )
    new_pads = tuple((before * grid.rate, after * grid.rate) for before, after in pads)
    if consumer is not None and consumer["class_name"] in WINDOWS:
        window = window_of(consumer)
        loses = window.loses_stride(grid, limit)
        if window.padding == NO_PADS and (loses or grid.rate > 1):
            joined = replace(window, padding=pads)
            new_pads = tuple(joined.pads(axis, grid, loses) for axis in (0, 1))
            out = replace(out, padded=True)
    new = copy.deepcopy(entry)
    new["config"]["padding"] = [list(pair) for pair in new_pads]
    return Rewritten(new, out)


def enlarge(entry: Entry, grid: Grid) -> Rewritten:
    """Follow the grid through an upsampling, whose input must not be oversampled."""
    if grid.rate > 1:
        raise undilatable(entry, "it would enlarge a map that the rewriting already keeps large")
    config = entry["config"]
    factor = config.get("size") or config["strides"]
    if factor[0] != factor[1]:
        raise undilatable(entry, f"it enlarges height and width differently, by {tuple(factor)}")
    return Rewritten(entry, Grid(grid.stride / Fraction(factor[0]), 1, (None, None)))


def undilatable(entry: Entry, why: str) -> InputError:
    """Return the error for a layer that can't be rewritten."""
    return InputError(
        f"layer `{entry['name']}` ({entry['class_name']}) can't be rewritten to a smaller output stride: "
        f"{why}; choose a larger `output_stride`, or cut the network before this layer"
    )
