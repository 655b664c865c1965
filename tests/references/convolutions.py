"""Atrous and transposed convolution, tap by tap in float64."""

import numpy as np


def atrous(maps, kernel, bias, rate):
    """Convolve `(B, H, W, C)` with `(kh, kw, C, F)`, odd and centred, taps `rate` apart, zeros outside."""
    batch, height, width, _ = maps.shape
    rows, columns, _, filters = kernel.shape
    result = np.zeros((batch, height, width, filters)) + bias
    for b, i, j in np.ndindex(batch, height, width):
        for u in range(rows):
            for v in range(columns):
                y, x = i + (u - rows // 2) * rate, j + (v - columns // 2) * rate
                if 0 <= y < height and 0 <= x < width:
                    result[b, i, j] += maps[b, y, x].astype(float) @ kernel[u, v].astype(float)
    return result


def transposed(maps, kernel, stride):
    """Spread each cell of `(B, h, w, C)` by `(k, k, F, C)` at its stride; cut `(k - stride) / 2` off each side."""
    batch, height, width, _ = maps.shape
    side, _, filters, _ = kernel.shape
    full = np.zeros((batch, stride * (height - 1) + side, stride * (width - 1) + side, filters))
    for b, i, j in np.ndindex(batch, height, width):
        for u in range(side):
            for v in range(side):
                full[b, stride * i + u, stride * j + v] += kernel[u, v].astype(float) @ maps[b, i, j]
    cut = (side - stride) // 2
    return full[:, cut : cut + stride * height, cut : cut + stride * width]
