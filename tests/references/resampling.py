"""Resampling cell by cell, in float64."""

import numpy as np


def _kernel(name, x):
    x = abs(x)
    if name == "linear":
        return max(1 - x, 0)
    a = -0.5
    if x < 1:
        return (a + 2) * x**3 - (a + 3) * x**2 + 1
    return a * x**3 - 5 * a * x**2 + 8 * a * x - 4 * a if x < 2 else 0


def _row(values, after, kernel, antialias):
    before = len(values)
    width = max(before / after, 1) if antialias else 1
    result = []
    for i in range(after):
        centre = (i + 0.5) * before / after - 0.5
        weights = [_kernel(kernel, (j - centre) / width) for j in range(before)]
        result.append(sum(w * v for w, v in zip(weights, values)) / sum(weights))
    return np.array(result)


def resampled(maps, size_hw, kernel, antialias):
    """`(B, h, w, C)` -> `(B, H, W, C)`, rows of cells first."""
    maps = np.asarray(maps, np.float64)
    tall = np.stack([_row(list(image), size_hw[0], kernel, antialias) for image in maps])
    wide = [_row(list(np.moveaxis(image, 1, 0)), size_hw[1], kernel, antialias) for image in tall]
    return np.moveaxis(np.stack(wide), 1, 2)
