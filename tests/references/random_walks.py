"""Affinities and random walks with a dense matrix of all cells, pair by pair, as the public codes do it."""

import numpy as np


def neighbours(size_hw, radius):
    """Yield all pairs of different cells that are nearer than the radius."""
    cells = list(np.ndindex(*size_hw))
    for a in cells:
        for b in cells:
            if a != b and (a[0] - b[0]) ** 2 + (a[1] - b[1]) ** 2 < radius**2:
                yield a, b


def between(a, b):
    """Return the cells whose distance from the line through a and b is below 1, in the rectangle that a and b span."""
    a, b = np.array(a), np.array(b)
    normal = np.array([-(b - a)[1], (b - a)[0]]) / np.linalg.norm(b - a)
    low, high = np.minimum(a, b), np.maximum(a, b)
    inside = (np.array(cell) + low for cell in np.ndindex(*(high - low + 1)))
    return [tuple(cell) for cell in inside if abs((cell - a) @ normal) < 1 - 1e-9]


def dense_edge_affinity(edge, radius):
    """Return `(n, n)`: one less the strongest boundary between two neighbours; 0 for other pairs, 1 on the diagonal."""
    affinity = np.eye(edge.size)
    for a, b in neighbours(edge.shape, radius):
        pair = np.ravel_multi_index(a, edge.shape), np.ravel_multi_index(b, edge.shape)
        affinity[pair] = 1 - max(edge[cell] for cell in between(a, b))
    return affinity


def dense_feature_affinity(features, radius):
    """Return `(n, n)`: exp(- mean absolute difference) of neighbours."""
    size_hw = features.shape[:2]
    affinity = np.eye(size_hw[0] * size_hw[1])
    for a, b in neighbours(size_hw, radius):
        pair = np.ravel_multi_index(a, size_hw), np.ravel_multi_index(b, size_hw)
        affinity[pair] = np.exp(-np.mean(np.abs(features[a] - features[b])))
    return affinity


def dense_walk(maps, affinity, beta, doublings):
    """Return the maps times T squared `doublings` times; T has columns that sum to 1."""
    transition = affinity**beta
    transition = transition / transition.sum(axis=0, keepdims=True)
    for _ in range(doublings):
        transition = transition @ transition
    return (maps.reshape(len(maps), -1) @ transition).reshape(maps.shape)
