"""Grid of a tensor's cells: their stride and centre, in pixels of an image or in cells of another tensor."""

import math
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Grid:
    """Where the cells of a tensor look: along an axis, cell `i` looks at pixel `stride * i + centre`.

    For a single layer, the units are cells of its input: cell `i` of the output looks at cell `stride * i + centre`.

    Attributes:
        stride_hw: Pixels from cell to cell, (height, width); negative along an axis that is flipped.
        centre_hw: Pixel index that cell 0 looks at, (height, width); 0 is the first pixel's centre.
        axes: The axes of the tensor that run along the image's height and width: (1, 2) for `(B, h, w, C)`, (2, 3) for
            `(B, C, h, w)`, (2, 1) for `(B, w, h, C)`.
        seen_hw: First and last pixel along height and along width that any cell sees, if the image was cropped; None if
            nothing is known to be cut off.

    Example:
        >>> convolution = Grid((2.0, 2.0), (0.5, 0.5))
        >>> IMAGE.through(convolution).through(convolution)
        Grid(stride_hw=(4.0, 4.0), centre_hw=(1.5, 1.5))
    """

    stride_hw: tuple[float, float]
    centre_hw: tuple[float, float]
    axes: tuple[int, int] = field(default=(1, 2), repr=False)
    seen_hw: tuple[tuple[float, float], tuple[float, float]] | None = field(default=None, repr=False)

    @classmethod
    def of_blocks(cls, side: int) -> "Grid":
        """Return the grid of cells that each cover `side` x `side` pixels; a cell looks at the middle of its pixels."""
        return cls((float(side), float(side)), ((side - 1) / 2, (side - 1) / 2))

    @property
    def displacement_hw(self) -> tuple[float, float]:
        """Pixels by which a cell looks further down and right than half-pixel resizing assumes, (height, width)."""
        return tuple(c - (s - 1) / 2 for c, s in zip(self.centre_hw, self.stride_hw))

    def through(self, layer: "Grid") -> "Grid":
        """Return the grid of a layer's output, if the layer's input has this grid.

        Args:
            layer: Grid of the layer alone, in cells of its input; its `axes` are those of the result.
        """
        pairs = list(zip(self.stride_hw, self.centre_hw, layer.stride_hw, layer.centre_hw))
        strides, centres = [s * step for s, _, step, _ in pairs], [c + s * at for s, c, _, at in pairs]
        return Grid(tuple(strides), tuple(centres), layer.axes, self._seen_through(layer))

    def _seen_through(self, layer: "Grid") -> tuple[tuple[float, float], tuple[float, float]] | None:
        # A crop of features says nothing of the image, since the cells that are left see more than their own place.
        pixels = layer.seen_hw is not None and all(abs(stride) == 1 for stride in self.stride_hw)
        if not pixels:
            return self.seen_hw
        ranges = []
        for axis, ends in enumerate(layer.seen_hw):
            low, high = sorted(self.stride_hw[axis] * end + self.centre_hw[axis] for end in ends)
            before = EVERYTHING if self.seen_hw is None else self.seen_hw[axis]
            ranges.append((max(low, before[0]), min(high, before[1])))
        return tuple(ranges)


EVERYTHING = (-math.inf, math.inf)
"""The range of a grid that sees all pixels along an axis."""

IMAGE = Grid((1.0, 1.0), (0.0, 0.0))
"""Grid of an image's own pixels; also the grid of a layer whose cells look where the cells of its input look."""
