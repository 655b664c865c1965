"""L2 normalisation over the channels, position by position in float64."""

import math

import numpy as np


def normalise(maps, scale, epsilon):
    """Return `(B, H, W, C)` maps of length one at each position, times a scale per channel."""
    result = np.zeros(maps.shape)
    for b, i, j in np.ndindex(maps.shape[:3]):
        length = math.sqrt(sum(float(value) ** 2 for value in maps[b, i, j]) + epsilon)
        for c, value in enumerate(maps[b, i, j]):
            result[b, i, j, c] = float(value) / length * scale[c]
    return result
