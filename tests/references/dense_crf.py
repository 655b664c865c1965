"""Mean field in the fully connected CRF by the whole (N, N) kernel matrix: exact, O(N^2)."""

import numpy as np


def kernel(features):
    """Return exp(-|f_i - f_j|^2 / 2), the pixel itself included, normalised symmetrically."""
    squared = ((features[:, None, :] - features[None, :, :]) ** 2).sum(-1)
    matrix = np.exp(-squared / 2)
    norm = 1 / np.sqrt(matrix.sum(1) + 1e-20)
    return norm[:, None] * matrix * norm[None, :]


def softmax(energy):
    """Return the softmax over the last axis."""
    shifted = np.exp(energy - energy.max(-1, keepdims=True))
    return shifted / shifted.sum(-1, keepdims=True)


def dense_crf(
    image, probs, gaussian_sxy, gaussian_weight, bilateral_sxy, bilateral_srgb, bilateral_weight, iterations
):
    """Return the marginals `(H, W, K)` in float64."""
    height, width, classes = probs.shape
    y, x = np.mgrid[:height, :width]
    position = np.stack([x.ravel(), y.ravel()], -1).astype(float)
    colour = image.reshape(-1, 3).astype(float)
    smoothness = kernel(position / gaussian_sxy)
    appearance = kernel(np.concatenate([position / bilateral_sxy, colour / bilateral_srgb], -1))
    unary = -np.log(np.clip(probs.reshape(-1, classes).astype(float), 1e-5, 1))
    q = softmax(-unary)
    for _ in range(iterations):
        # Potts: a label is helped by its own message only.
        q = softmax(-unary + gaussian_weight * (smoothness @ q) + bilateral_weight * (appearance @ q))
    return q.reshape(height, width, classes)
