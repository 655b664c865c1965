"""Linear interpolation between cells at known positions in an image, by one matrix per axis."""

import functools

import numpy as np

from wsseg.grid import Grid


def interpolation(positions: np.ndarray, cells: int) -> np.ndarray:
    """Return the matrix that interpolates a row of cells linearly at given positions.

    Args:
        positions: `(..., n)` positions in cells; 0 is the first cell's centre. Outside, the border cell is repeated.
        cells: Length of the row.

    Returns:
        `(..., n, cells)` float64; each row sums to 1.

    Example:
        >>> interpolation(np.array([-1.0, 0.25, 1.0]), 2).tolist()
        [[1.0, 0.0], [0.75, 0.25], [0.0, 1.0]]
    """
    positions = np.clip(positions, 0, cells - 1)
    return np.maximum(1 - np.abs(positions[..., None] - np.arange(cells)), 0)


def placed(pixels: np.ndarray, cells: int, stride: float, centre: float) -> np.ndarray:
    """Return the matrix that interpolates a row of cells at pixels of the image.

    Args:
        pixels: `(n,)` pixel indices, fractions allowed.
        cells: Length of the row.
        stride: Pixels from cell to cell.
        centre: Pixel index that cell 0 looks at.

    Returns:
        `(n, cells)` float32.
    """
    return interpolation((pixels - centre) / stride, cells).astype(np.float32)


@functools.lru_cache(maxsize=64)
def resizing(source: int, target: int) -> np.ndarray:
    """Return the matrix that resizes a row of cells, with half-pixel centres and without antialiasing.

    Args:
        source: Length of the row.
        target: Length of the resized row.

    Returns:
        `(target, source)` float32; read-only, since it is cached.

    Example:
        >>> resizing(2, 4).tolist()
        [[1.0, 0.0], [0.75, 0.25], [0.25, 0.75], [0.0, 1.0]]
    """
    weights = interpolation((np.arange(target) + 0.5) * source / target - 0.5, source).astype(np.float32)
    weights.flags.writeable = False
    return weights


def on_even_cells(
    found: np.ndarray, grid: Grid, size_hw: tuple[int, int], axes: tuple[int, int] = (0, 1)
) -> np.ndarray:
    """Resample a padded image's features to cells that cover the image evenly, as the cells of class maps do.

    Args:
        found: `(h, w, C)` features of the padded image.
        grid: Grid of the features: where their cells look.
        size_hw: Size of the image in pixels; the image is in the upper left corner.
        axes: The axes of `found` that are height and width.

    Returns:
        `(ceil(H / stride), ceil(W / stride), C)` float32.
    """
    for index, axis in enumerate(axes):
        side, stride = size_hw[index], grid.stride_hw[index]
        cells = int(-(-side // stride))
        pixels = (np.arange(cells) + 0.5) * side / cells - 0.5
        matrix = placed(pixels, found.shape[axis], stride, grid.centre_hw[index])
        found = np.moveaxis(np.tensordot(matrix, found, axes=(1, axis)), 0, axis)
    return found.astype(np.float32)


def without_padding(maps: np.ndarray, size_hw: tuple[int, int], stride: int) -> np.ndarray:
    """Crop a padded image's maps to the image.

    An image's side is rarely a whole number of cells, so the cells are resampled linearly to cover it exactly.

    Args:
        maps: `(C, h, w)` maps of the padded image; a cell is the mean of `stride` x `stride` pixels.
        size_hw: Size of the image in pixels; the image is in the upper left corner.
        stride: Pixels per cell.

    Returns:
        `(C, ceil(H / stride), ceil(W / stride))` float32.
    """
    return on_even_cells(maps, Grid.of_blocks(stride), size_hw, axes=(1, 2))
