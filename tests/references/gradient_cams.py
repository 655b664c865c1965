"""Grad-CAM's relatives by loops in float64, the gradients by finite differences; each from its formula."""

import numpy as np

from references.class_maps import numeric_gradient


def grad_cam_pp(features, score):
    """Return ReLU(sum_k w_k A_k), w_k = sum_ij alpha ReLU(g), alpha = g^2 / (2 g^2 + sum_ab A_ab g^3)."""
    gradient = numeric_gradient(score, features)
    total = np.zeros(features.shape[:2])
    for k in range(features.shape[-1]):
        weight = 0.0
        for y, x in np.ndindex(features.shape[:2]):
            g = gradient[y, x, k]
            denominator = 2 * g**2 + features[..., k].sum() * g**3
            alpha = g**2 / denominator if denominator != 0 else 0.0
            weight += alpha * max(g, 0.0)
        total += weight * features[..., k]
    return np.maximum(total, 0)


def xgrad_cam(features, score):
    """Return ReLU(sum_k alpha_k A_k), alpha_k = sum_ij |A_ij| / sum_ab |A_ab| g_ij; the paper has A, not negative."""
    gradient = numeric_gradient(score, features)
    total = np.zeros(features.shape[:2])
    for k in range(features.shape[-1]):
        size = np.abs(features[..., k])
        if size.any():
            total += (size / size.sum() * gradient[..., k]).sum() * features[..., k]
    return np.maximum(total, 0)


def hires_cam(features, score):
    """Return sum_k g_k A_k at each cell."""
    gradient = numeric_gradient(score, features)
    return np.array(
        [
            [gradient[y, x] @ features[y, x] for x in range(features.shape[1])]
            for y in range(features.shape[0])
        ]
    )


def layer_cam(features, score):
    """Return ReLU(sum_k max(g_k, 0) A_k) at each cell."""
    gradient = numeric_gradient(score, features)
    total = np.zeros(features.shape[:2])
    for y, x, k in np.ndindex(features.shape):
        if gradient[y, x, k] > 0:
            total[y, x] += gradient[y, x, k] * features[y, x, k]
    return np.maximum(total, 0)


def counterfactual(features, score):
    """Return Grad-CAM's map of the negated score."""
    gradient = numeric_gradient(lambda values: -score(values), features)
    total = sum(gradient[..., k].mean() * features[..., k] for k in range(features.shape[-1]))
    return np.maximum(total, 0)


def eigen_cam(features, score=None):
    """Return the cells' projection on the first right singular vector, by NumPy's decomposition."""
    cells = features.reshape(-1, features.shape[-1])
    projected = (cells @ np.linalg.svd(cells)[2][0]).reshape(features.shape[:2])
    return projected if projected.sum() >= 0 else -projected
