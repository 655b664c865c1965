"""RoIAlign and RoIPool in loops, and RoIAlign's gradient, one number at a time."""

import math

import numpy as np


def bilinear(features, y, x):
    """Value of `(h, w, C)` at cell coordinates, and the weights of its four cells."""
    h, w = features.shape[:2]
    if y < -1 or y > h or x < -1 or x > w:
        return np.zeros(features.shape[2]), []
    y, x = min(max(y, 0.0), h - 1.0), min(max(x, 0.0), w - 1.0)
    y0, x0 = math.floor(y), math.floor(x)
    y1, x1 = min(y0 + 1, h - 1), min(x0 + 1, w - 1)
    weights = [
        (y0, x0, (1 - (y - y0)) * (1 - (x - x0))),
        (y0, x1, (1 - (y - y0)) * (x - x0)),
        (y1, x0, (y - y0) * (1 - (x - x0))),
        (y1, x1, (y - y0) * (x - x0)),
    ]
    return sum(weight * features[row, column] for row, column, weight in weights), weights


def roi_align(features, roi, stride, size, samples, upstream=None):
    """Regions of `(h, w, C)`: `(size, size, C)`, and the gradient of `sum(upstream * result)` by the features."""
    features = features.astype(np.float64)
    left, top, right, bottom = (value / stride - 0.5 for value in roi)
    result = np.zeros((size, size, features.shape[2]))
    gradient = np.zeros_like(features)
    for i in range(size):
        for j in range(size):
            for a in range(samples):
                for b in range(samples):
                    y = top + (i + (a + 0.5) / samples) * (bottom - top) / size
                    x = left + (j + (b + 0.5) / samples) * (right - left) / size
                    value, weights = bilinear(features, y, x)
                    result[i, j] += value / samples**2
                    if upstream is not None:
                        for row, column, weight in weights:
                            gradient[row, column] += weight * upstream[i, j] / samples**2
    return result, gradient


def roi_pool(features, roi, stride, size, upstream=None):
    """The same for RoIPool; of equal maxima the first, row by row, gets the gradient."""
    features = features.astype(np.float64)
    h, w, channels = features.shape
    x1, y1, x2, y2 = (math.floor(value / stride + 0.5) for value in roi)
    height, width = max(y2 - y1 + 1, 1), max(x2 - x1 + 1, 1)
    result = np.zeros((size, size, channels))
    gradient = np.zeros_like(features)
    for i in range(size):
        for j in range(size):
            rows = range(max(y1 + (i * height) // size, 0), min(y1 + math.ceil((i + 1) * height / size), h))
            columns = range(max(x1 + (j * width) // size, 0), min(x1 + math.ceil((j + 1) * width / size), w))
            for channel in range(channels):
                best = None
                for row in rows:
                    for column in columns:
                        if best is None or features[row, column, channel] > features[(*best, channel)]:
                            best = (row, column)
                if best is not None:
                    result[i, j, channel] = features[(*best, channel)]
                    if upstream is not None:
                        gradient[(*best, channel)] += upstream[i, j, channel]
    return result, gradient


def level_of(roi, first, last):
    """Level of the pyramid for a region, by the equation itself."""
    side = math.sqrt(max(roi[2] - roi[0], 0) * max(roi[3] - roi[1], 0))
    level = math.floor(4 + math.log2(side / 224)) if side > 0 else first
    return min(max(level, first), last)
