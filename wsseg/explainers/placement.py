"""Put a feature map's cells where they look in the image, instead of where half-pixel resizing assumes."""

import numpy as np


def interpolation(positions: np.ndarray, cells: int) -> np.ndarray:
    """Return the matrix that interpolates a row of cells linearly at given positions.

    Args:
        positions: `(n,)` in cells: 0 is the first cell's centre. Outside, the border cell is repeated.
        cells: Length of the row.

    Returns:
        `(n, cells)` float32; each row sums to 1.

    Example:
        >>> interpolation(np.array([-1.0, 0.25, 1.0]), 2).tolist()
        [[1.0, 0.0], [0.75, 0.25], [0.0, 1.0]]
    """
    positions = np.clip(positions, 0, cells - 1)
    return np.maximum(1 - np.abs(positions[:, None] - np.arange(cells)), 0).astype(np.float32)


def placed(pixels: np.ndarray, cells: int, stride: float, centre: float) -> np.ndarray:
    """Return the matrix that reads a row of cells at pixels of the image.

    Args:
        pixels: `(n,)` pixel indices, fractions allowed.
        cells: Length of the row.
        stride: Pixels from cell to cell.
        centre: Pixel that cell 0 looks at.

    Returns:
        `(n, cells)` float32.
    """
    return interpolation((pixels - centre) / stride, cells)
