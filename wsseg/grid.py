"""Grid of a tensor's cells: their stride and centre, in pixels of an image or in cells of another tensor."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Grid:
    """Where the cells of a tensor look: along an axis, cell `i` looks at pixel `stride * i + centre`.

    For a single layer, the units are cells of its input: cell `i` of the output looks at cell `stride * i + centre`.

    Attributes:
        stride_hw: Pixels from cell to cell, (height, width).
        centre_hw: Pixel index that cell 0 looks at, (height, width); 0 is the first pixel's centre.

    Example:
        >>> convolution = Grid((2.0, 2.0), (0.5, 0.5))
        >>> IMAGE.through(convolution).through(convolution)
        Grid(stride_hw=(4.0, 4.0), centre_hw=(1.5, 1.5))
    """

    stride_hw: tuple[float, float]
    centre_hw: tuple[float, float]

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
            layer: Grid of the layer alone, in cells of its input.
        """
        pairs = list(zip(self.stride_hw, self.centre_hw, layer.stride_hw, layer.centre_hw))
        return Grid(tuple(s * step for s, _, step, _ in pairs), tuple(c + s * at for s, c, _, at in pairs))


IMAGE = Grid((1.0, 1.0), (0.0, 0.0))
"""Grid of an image's own pixels; also the grid of a layer whose cells look where the cells of its input look."""
