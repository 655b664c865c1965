"""Pooling to a fixed number of bins, cell by cell in float64."""

import numpy as np


def adaptive(maps, bins, reduce=np.mean):
    """Pool `(B, H, W, C)` to `(B, bins, bins, C)`: a cell is in a bin if the two overlap on the axis."""
    batch, height, width, channels = maps.shape
    result = np.zeros((batch, bins, bins, channels))
    for b, i, j, c in np.ndindex(result.shape):
        # Bin i is the interval from i * n / bins to (i + 1) * n / bins, cell y the one from y to y + 1.
        result[b, i, j, c] = reduce(
            [
                float(maps[b, y, x, c])
                for y in range(height)
                for x in range(width)
                if (y + 1) * bins > i * height
                and y * bins < (i + 1) * height
                and (x + 1) * bins > j * width
                and x * bins < (j + 1) * width
            ]
        )
    return result


def spatial_pyramid(maps, levels, reduce):
    """Return the bins of all levels strung together, `(B, C * sum b^2)`."""
    vectors = []
    for image in maps:
        vector = []
        for bins in levels:
            pooled = adaptive(image[None], bins, reduce)[0]
            for i in range(bins):
                for j in range(bins):
                    vector.extend(pooled[i, j])
        vectors.append(vector)
    return np.array(vectors)
