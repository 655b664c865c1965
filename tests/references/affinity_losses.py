"""Losses of affinity networks by loops over all pairs of cells, in float64."""

import numpy as np

from references.random_walks import between

TINY = 1e-5


def pairs(size_hw, radius):
    """Yield pairs (i, j), j to the right of i or below, for cells i all of whose neighbours of that kind are inside."""
    height, width = size_hw
    for row in range(height - radius + 1):
        for column in range(radius - 1, width - radius + 1):
            for down in range(radius):
                for right in range(1 - radius, radius):
                    after = down > 0 or right > 0
                    if after and down**2 + right**2 < radius**2:
                        yield (row, column), (row + down, column + right)


def kind(labels, i, j):
    """Return what a pair is: background, foreground, different, or None."""
    if 255 in (labels[i], labels[j]):
        return None
    if labels[i] != labels[j]:
        return "different"
    return "foreground" if labels[i] else "background"


def weighted(found):
    """Return bg / 4 + fg / 4 + different / 2 of lists of costs."""
    means = {name: np.sum(costs) / (len(costs) + TINY) for name, costs in found.items()}
    return means["background"] / 4 + means["foreground"] / 4 + means["different"] / 2


def costs(labels, affinity, radius):
    """Return the logarithmic costs of all pairs of a batch, by kind; `affinity(b, i, j)`."""
    found = {"background": [], "foreground": [], "different": []}
    for b, mask in enumerate(labels):
        for i, j in pairs(mask.shape, radius):
            name = kind(mask, i, j)
            if name:
                a = affinity(b, i, j)
                found[name].append(-np.log(1 + TINY - a) if name == "different" else -np.log(a + TINY))
    return found


def affinity_loss(labels, features, radius):
    """AffinityNet's loss."""
    return weighted(
        costs(labels, lambda b, i, j: np.exp(-np.abs(features[b][i] - features[b][j]).mean()), radius)
    )


def inter_pixel_loss(labels, outputs, radius):
    """IRNet's loss."""
    boundary = 1 / (1 + np.exp(-outputs[..., 0]))
    total = weighted(
        costs(labels, lambda b, i, j: 1 - max(boundary[b][cell] for cell in between(i, j)), radius)
    )
    ways = {"background": [], "foreground": [], "different": []}
    for b, mask in enumerate(labels):
        for i, j in pairs(mask.shape, radius):
            moved = outputs[b][i][1:] - outputs[b][j][1:]
            name = kind(mask, i, j)
            expected = np.subtract(j, i) if name == "foreground" else 0
            if name:
                ways[name].append(np.abs(moved - expected).mean())
    for name in ("background", "foreground"):
        total += np.sum(ways[name]) / (len(ways[name]) + TINY) / 2
    return total
