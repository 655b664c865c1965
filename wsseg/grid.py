"""Where the cells of a tensor look: stride and centre, in pixels of an image or in cells of another tensor."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Grid:
    """Where the cells of a tensor look: along an axis, cell `i` at pixel `stride * i + centre`.

    Of a layer by itself, the same in cells of its input: cell `i` of the output looks at cell `stride * i + centre`.

    Attributes:
        stride_hw: Pixels from cell to cell.
        centre_hw: Pixel index (0 = the first pixel's centre) that cell 0 looks at.

    Example:
        >>> convolution = Grid((2.0, 2.0), (0.5, 0.5))
        >>> IMAGE.through(convolution).through(convolution)
        Grid(stride_hw=(4.0, 4.0), centre_hw=(1.5, 1.5))
    """

    stride_hw: tuple[float, float]
    centre_hw: tuple[float, float]

    @classmethod
    def of_blocks(cls, side: int) -> "Grid":
        """Return the grid of cells that cover `side` x `side` pixels each: a cell looks at the middle of its own."""
        return cls((float(side), float(side)), ((side - 1) / 2, (side - 1) / 2))

    @property
    def displacement_hw(self) -> tuple[float, float]:
        """How much further down and right a cell looks than half-pixel resizing assumes, pixels."""
        return tuple(c - (s - 1) / 2 for c, s in zip(self.centre_hw, self.stride_hw))

    def through(self, layer: "Grid") -> "Grid":
        """Return where the cells behind a layer look.

        Args:
            layer: Where the layer's own cells look, in cells of its input, which has this grid.
        """
        pairs = list(zip(self.stride_hw, self.centre_hw, layer.stride_hw, layer.centre_hw))
        return Grid(tuple(s * step for s, _, step, _ in pairs), tuple(c + s * at for s, c, _, at in pairs))


IMAGE = Grid((1.0, 1.0), (0.0, 0.0))
"""The grid of an image's own pixels; of a layer, one whose cells look where its input's do."""
