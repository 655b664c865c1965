"""Convolution, CAM, Grad-CAM and bilinear resizing by loops in float64; gradients by finite differences."""

import numpy as np


def convolution_relu(image, kernel, bias, stride):
    """Return ReLU(valid convolution) of one image `(H, W, C)` with a kernel `(k, k, C, F)`."""
    side = kernel.shape[0]
    rows = (image.shape[0] - side) // stride + 1
    columns = (image.shape[1] - side) // stride + 1
    result = np.zeros((rows, columns, kernel.shape[3]))
    for y in range(rows):
        for x in range(columns):
            window = image[y * stride : y * stride + side, x * stride : x * stride + side].astype(float)
            for f in range(kernel.shape[3]):
                result[y, x, f] = max((window * kernel[..., f]).sum() + bias[f], 0)
    return result


def cam(features, weights):
    """Return sum_k w_k f_k(x, y) of `(h, w, C)` features."""
    result = np.zeros(features.shape[:2])
    for y in range(features.shape[0]):
        for x in range(features.shape[1]):
            result[y, x] = sum(w * f for w, f in zip(weights, features[y, x]))
    return result


def numeric_gradient(score, features, step=1e-5):
    """Return d score / d features by central differences, one feature at a time."""
    gradient = np.zeros(features.shape)
    for position in np.ndindex(features.shape):
        more, less = features.astype(float).copy(), features.astype(float).copy()
        more[position] += step
        less[position] -= step
        gradient[position] = (score(more) - score(less)) / (2 * step)
    return gradient


def grad_cam(features, score):
    """Return ReLU(sum_k alpha_k A^k), alpha_k the mean of the gradient over the cells."""
    gradient = numeric_gradient(score, features)
    weights = [gradient[..., k].sum() / gradient[..., k].size for k in range(features.shape[-1])]
    return np.maximum(cam(features, weights), 0)


def bilinear(values, height, width):
    """Resize `(h, w)`, half-pixel centres, the border values repeated."""
    rows = [(y + 0.5) * values.shape[0] / height - 0.5 for y in range(height)]
    columns = [(x + 0.5) * values.shape[1] / width - 0.5 for x in range(width)]
    return at_positions(values, rows, columns)


def placed(values, rows, columns, stride, centre):
    """Read `(h, w)` cells, cell i of which looks at pixel `stride * i + centre`, at given pixels."""
    return at_positions(
        values, [(y - centre) / stride for y in rows], [(x - centre) / stride for x in columns]
    )


def at_positions(values, rows, columns):
    """Interpolate `(h, w)` linearly at positions in cells, the border values repeated."""
    result = np.zeros((len(rows), len(columns)))
    for y, row in enumerate(rows):
        for x, column in enumerate(columns):
            v = min(max(row, 0), values.shape[0] - 1)
            u = min(max(column, 0), values.shape[1] - 1)
            top, left = int(v), int(u)
            bottom, right = min(top + 1, values.shape[0] - 1), min(left + 1, values.shape[1] - 1)
            upper = values[top, left] * (1 - (u - left)) + values[top, right] * (u - left)
            lower = values[bottom, left] * (1 - (u - left)) + values[bottom, right] * (u - left)
            result[y, x] = upper * (1 - (v - top)) + lower * (v - top)
    return result
