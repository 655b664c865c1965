"""Grid of a tensor's cells: their stride and centre, in pixels of an image or in cells of another tensor."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Grid:
    """Positions of a tensor's cells in an image: along an axis, cell `i` looks at pixel `stride * i + centre`.

    The grid of a single layer is in cells of its input: cell `i` of the output looks at cell `stride * i + centre`.

    Attributes:
        stride_hw: Distance from cell to cell, pixels.
        centre_hw: Position of cell 0 as a pixel index (0 = centre of the first pixel).

    Example:
        >>> convolution = Grid((2.0, 2.0), (0.5, 0.5))
        >>> IMAGE.through(convolution).through(convolution)
        Grid(stride_hw=(4.0, 4.0), centre_hw=(1.5, 1.5))
    """

    stride_hw: tuple[float, float]
    centre_hw: tuple[float, float]

    @classmethod
    def of_blocks(cls, side: int) -> "Grid":
        """Return the grid of cells that cover `side` x `side` pixels each, and look at the centre of these pixels."""
        return cls((float(side), float(side)), ((side - 1) / 2, (side - 1) / 2))

    @property
    def displacement_hw(self) -> tuple[float, float]:
        """Distance down and right from the position that half-pixel resizing assumes to the cell's position, pixels."""
        return tuple(c - (s - 1) / 2 for c, s in zip(self.centre_hw, self.stride_hw))

    def through(self, layer: "Grid") -> "Grid":
        """Return the grid of a layer's output, for an input that has this grid.

        Args:
            layer: Grid of the layer by itself, in cells of its input.
        """
        pairs = list(zip(self.stride_hw, self.centre_hw, layer.stride_hw, layer.centre_hw))
        return Grid(tuple(s * step for s, _, step, _ in pairs), tuple(c + s * at for s, c, _, at in pairs))


IMAGE = Grid((1.0, 1.0), (0.0, 0.0))
"""Grid of an image's own pixels. As the grid of a layer: the layer does not move cells."""
