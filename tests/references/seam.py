"""SEAM's correlation and losses by loops in float64, one image at a time."""

import numpy as np


def correlated(maps, features, kernel, inside=None):
    """Spread `(h, w, M)` over the cells of `(h, w, C)` by the cosines of their embeddings."""
    cells, numbers = maps.shape[:2], maps.reshape(-1, maps.shape[-1]).astype(float)
    embedded = features.reshape(-1, features.shape[-1]).astype(float) @ kernel.astype(float)
    counts = np.ones(len(numbers), bool) if inside is None else inside.ravel()
    result = np.zeros(numbers.shape)
    for i, own in enumerate(embedded):
        total, sum_of_weights = 0.0, 0.0
        for j, other in enumerate(embedded):
            cosine = own @ other / ((np.linalg.norm(own) + 1e-5) * (np.linalg.norm(other) + 1e-5))
            if counts[j] and cosine > 0:
                total = total + cosine * numbers[j]
                sum_of_weights += cosine
        result[i] = total / (sum_of_weights + 1e-5)
    return result.reshape(*cells, -1)


def strongest_class(maps, inside=None):
    """Divide each positive part by its maximum inside; keep the strongest class of a cell; background first."""
    counts = np.ones(maps.shape[:2], bool) if inside is None else inside
    units = []
    for k in range(maps.shape[-1]):
        positive = np.where(counts, np.maximum(maps[..., k].astype(float), 0), 0)
        units.append(np.maximum(positive - 1e-5, 0) / (positive.max() + 1e-5))
    return one_kept(np.stack(units, -1))


def one_kept(units):
    """Keep the strongest class of each cell, and put 1 - it before."""
    result = np.zeros((*units.shape[:2], units.shape[2] + 1))
    for y in range(units.shape[0]):
        for x in range(units.shape[1]):
            best = int(units[y, x].argmax())
            result[y, x, 0] = 1 - units[y, x, best]
            result[y, x, 1 + best] = units[y, x, best]
    return result


def to_unit(maps, inside):
    """Shift and scale positive parts to [0, 1] over the cells inside; 0 outside."""
    result = np.zeros(maps.shape)
    for k in range(maps.shape[-1]):
        positive = np.maximum(maps[..., k].astype(float), 0)
        low, high = positive[inside].min(), positive[inside].max()
        result[..., k] = np.where(inside, np.maximum(positive - low - 1e-5, 0) / (high - low + 1e-5), 0)
    return result


def losses(maps, refined, labels, inside):
    """Return equivariance, the two cross terms and the two of low cells, of one image and its two views."""
    first, second = (to_unit(view, inside) * labels for view in maps)
    equivariance = np.abs(first - second).mean()
    cross, low = [], []
    for view, target in zip(refined, (second, first)):
        target = one_kept(target) * inside[..., None]
        errors = np.abs(target - to_unit(view, inside) * np.append(1, labels)).ravel()
        cross.append(np.sort(errors)[::-1][: int(0.2 * errors.size)].mean())
        strongest = (view[..., 1:] * labels * inside[..., None]).max(-1).ravel()
        low.append(np.sort(strongest)[: int(0.25 * strongest.size)].mean())
    return equivariance, cross, low
