"""Caffe's max pooling and deconvolution, one window at a time."""

import math

import numpy as np


def max_pooling(x: np.ndarray, kernel: int, stride: int, pad: int) -> np.ndarray:
    """Pool `(H, W)`: sizes rounded up; the last window must begin inside the image or its first padding."""
    sizes = []
    for side in x.shape:
        size = math.ceil((side + 2 * pad - kernel) / stride) + 1
        if pad and (size - 1) * stride >= side + pad:
            size -= 1
        sizes.append(size)
    out = np.empty(sizes, x.dtype)
    for i in range(sizes[0]):
        for j in range(sizes[1]):
            top, left = i * stride - pad, j * stride - pad
            out[i, j] = x[max(top, 0) : top + kernel, max(left, 0) : left + kernel].max()
    return out


def deconvolution(x: np.ndarray, kernel: np.ndarray, stride: int) -> np.ndarray:
    """Add, for each cell of `(h, w, I)`, its copy of the kernel `(k, k, O, I)` (Keras' order), no padding."""
    height, width, _ = x.shape
    side = kernel.shape[0]
    out = np.zeros(((height - 1) * stride + side, (width - 1) * stride + side, kernel.shape[2]))
    for i in range(height):
        for j in range(width):
            window = out[i * stride : i * stride + side, j * stride : j * stride + side]
            window += np.einsum("yxoi,i->yxo", kernel, x[i, j])
    return out
