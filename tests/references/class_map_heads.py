"""The heads of the classifiers NIN and ACoL by loops in float64, one image at a time."""

import numpy as np


def same_convolution(features, kernel, bias, rate=1):
    """Convolve `(h, w, C)` with `(k, k, C, F)`, k odd; what is beyond the border is 0."""
    side = kernel.shape[0]
    result = np.zeros((*features.shape[:2], kernel.shape[3]))
    for y in range(features.shape[0]):
        for x in range(features.shape[1]):
            total = np.array(bias, float)
            for i in range(side):
                for j in range(side):
                    v, u = y + (i - side // 2) * rate, x + (j - side // 2) * rate
                    if 0 <= v < features.shape[0] and 0 <= u < features.shape[1]:
                        total = total + features[v, u].astype(float) @ kernel[i, j].astype(float)
            result[y, x] = total
    return result


def chain(features, weights, rate=1):
    """Apply convolutions, `weights` a list of kernels and biases in turn, with a ReLU after all but the last."""
    pairs = list(zip(weights[::2], weights[1::2]))
    for place, (kernel, bias) in enumerate(pairs):
        features = same_convolution(features, kernel, bias, rate)
        if place < len(pairs) - 1:
            features = np.maximum(features, 0)
    return features


def cells_inside(cells_hw, padded_hw, size_hw):
    """Tell which cells' centre pixel lies in the image, which is in the upper left of the padding."""
    inside = np.zeros(cells_hw, bool)
    for y in range(cells_hw[0]):
        for x in range(cells_hw[1]):
            row, column = (int((i + 0.5) * p / n) for i, p, n in zip((y, x), padded_hw, cells_hw))
            inside[y, x] = row < size_hw[0] and column < size_hw[1]
    return inside


def scale_to_unit(values, inside=None):
    """Shift and scale `(h, w)` so that the cells inside go from 0 to 1; 0 where all are alike."""
    chosen = values if inside is None else values[inside]
    if chosen.size == 0 or chosen.max() == chosen.min():
        return np.zeros(values.shape)
    return (values - chosen.min()) / (chosen.max() - chosen.min())


def erased_region(maps, classes, threshold, inside=None):
    """Unite the cells where a class's scaled map reaches the threshold."""
    region = np.zeros(maps.shape[:2], bool)
    for k in classes:
        unit = scale_to_unit(maps[..., k], inside)
        for y in range(maps.shape[0]):
            for x in range(maps.shape[1]):
                if unit[y, x] >= threshold and (inside is None or inside[y, x]):
                    region[y, x] = True
    return region


def mean_inside(maps, inside=None):
    """Average `(h, w, K)` over the cells inside."""
    inside = np.ones(maps.shape[:2], bool) if inside is None else inside
    return sum(maps[y, x] for y, x in zip(*np.nonzero(inside))) / inside.sum()


def predicted(logits, single_label):
    """Return the class of the highest logit, and all of positive ones where there may be several."""
    best = int(np.argmax(logits))
    return {best} if single_label else {best} | {k for k, value in enumerate(logits) if value > 0}


def acol(features, first, second, classes, threshold, inside=None, rate=1):
    """Return both branches' maps; `classes` says whose regions are erased."""
    maps = chain(features, first, rate)
    erased = features * ~erased_region(maps, classes, threshold, inside)[..., None]
    return maps, chain(erased, second, rate)
