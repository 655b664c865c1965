"""Mean field on a permutohedral lattice, pixel by pixel in float64, its points in a dictionary.

Adams et al. 2010: the d features become d + 1 coordinates that sum to 0 (section 3.1); a pixel's simplex has a corner
of each remainder, found by sorting (section 3.2).
"""

import numpy as np


def corners(feature):
    """Return the d + 1 points around a feature vector, and the barycentric weights."""
    d = len(feature)
    # Columns of an orthogonal basis of the plane, of the lengths that give the blur its deviation.
    basis = np.zeros((d + 1, d))
    for i in range(d):
        basis[: i + 1, i] = 1
        basis[i + 1, i] = -(i + 1)
        basis[:, i] *= np.sqrt(2 / 3) * (d + 1) / np.sqrt((i + 1) * (i + 2))
    y = basis @ feature
    base = np.rint(y / (d + 1)).astype(int) * (d + 1)
    excess = base.sum() // (d + 1)
    # Too high: lower the coordinates that were rounded up most; too low: raise those rounded down most.
    falling = np.argsort(-(y - base), kind="stable")
    if excess > 0:
        base[falling[len(falling) - excess :]] -= d + 1
    elif excess < 0:
        base[falling[:-excess]] += d + 1
    rest = y - base
    falling = np.argsort(-rest, kind="stable")
    points, weights = [], []
    for k in range(d + 1):
        point = base + k
        point[falling[d + 1 - k :]] -= d + 1
        points.append(tuple(point))
        if k == 0:
            weights.append(1 - (rest[falling[0]] - rest[falling[d]]) / (d + 1))
        else:
            weights.append((rest[falling[d - k]] - rest[falling[d - k + 1]]) / (d + 1))
    return points, weights


def gaussian_filter(features):
    """Return the function that filters `(N, K)` values at the `(N, d)` features, normalised symmetrically."""
    d = features.shape[1]
    places = [corners(feature) for feature in features]
    names = {point for points, _ in places for point in points}

    def plain(values):
        held = {name: np.zeros(values.shape[1]) for name in names}
        for (points, weights), value in zip(places, values):
            for point, weight in zip(points, weights):
                held[point] = held[point] + weight * value
        for axis in range(d + 1):
            step = np.ones(d + 1, int)
            step[axis] = -d
            blurred = {}
            for name, value in held.items():
                around = [held[other] for other in (tuple(name + step), tuple(name - step)) if other in held]
                blurred[name] = value + 0.5 * sum(around)
            held = blurred
        alpha = 1 / (1 + 2.0**-d)
        return np.array([alpha * sum(w * held[p] for p, w in zip(*place)) for place in places])

    norm = 1 / np.sqrt(plain(np.ones((len(features), 1))) + 1e-20)
    return lambda values: norm * plain(norm * values)


def dense_crf(
    image,
    probs,
    gaussian_sxy,
    gaussian_weight,
    bilateral_sxy,
    bilateral_srgb,
    bilateral_weight,
    iterations,
    compatibility=1,
):
    """Return the marginals `(H, W, K)`."""
    height, width, classes = probs.shape
    y, x = np.mgrid[:height, :width]
    position = np.stack([x.ravel(), y.ravel()], -1).astype(float)
    colour = image.reshape(-1, 3).astype(float)
    smooth = gaussian_filter(position / gaussian_sxy)
    similar = gaussian_filter(np.concatenate([position / bilateral_sxy, colour / bilateral_srgb], -1))
    cost = np.array(compatibility, float)
    if cost.ndim == 0:
        cost = cost * (1 - np.eye(classes))
    log_p = np.log(np.clip(probs.reshape(-1, classes).astype(float), 1e-5, 1))
    energy = -log_p
    for iteration in range(iterations + 1):
        q = np.exp(energy.min(1, keepdims=True) - energy)
        q /= q.sum(1, keepdims=True)
        if iteration < iterations:
            message = gaussian_weight * smooth(q) + bilateral_weight * similar(q)
            energy = -log_p + message @ cost.T
    return q.reshape(height, width, classes)
