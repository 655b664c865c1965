"""Max pooling with switches and its way back, window by window in NumPy."""

import numpy as np


def pool(maps, side):
    """Return maxima and their positions (row by row in the window; the first of equals) of `(B, H, W, C)`."""
    batch, height, width, channels = maps.shape
    shape = (batch, height // side, width // side, channels)
    pooled, switches = np.zeros(shape, maps.dtype), np.zeros(shape, "int32")
    for b, i, j, c in np.ndindex(shape):
        best = None
        for row in range(side):
            for column in range(side):
                value = maps[b, i * side + row, j * side + column, c]
                if best is None or value > best:
                    best, switches[b, i, j, c] = value, row * side + column
        pooled[b, i, j, c] = best
    return pooled, switches


def unpool(values, switches, side):
    """Return `(B, p h, p w, C)`: each value at its switch, zeros elsewhere."""
    batch, height, width, channels = values.shape
    result = np.zeros((batch, height * side, width * side, channels), values.dtype)
    for b, i, j, c in np.ndindex(values.shape):
        row, column = divmod(int(switches[b, i, j, c]), side)
        result[b, i * side + row, j * side + column, c] = values[b, i, j, c]
    return result
