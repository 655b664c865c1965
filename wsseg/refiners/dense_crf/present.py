"""The labels that are present in an image: found, taken out, and put back among the others. Compiled."""

import numpy as np

from wsseg.refiners.dense_crf.compiled import compiled


@compiled
def survey(probs):
    """Return each label's highest probability, and whether all are in [0, 1] and sum to 1 (to almost 1e-3).

    Args:
        probs: `(N, K) float32`, C-contiguous.

    Returns:
        `(K,) float32`, and a boolean.
    """
    pixels, classes = probs.shape
    highest, sound = np.zeros(classes, np.float32), True
    for v in range(pixels):
        total, lowest = np.float32(0), np.float32(0)
        for k in range(classes):
            value = probs[v, k]
            total += value
            lowest = min(lowest, value)
            highest[k] = max(highest[k], value)
        sound &= (abs(total - np.float32(1)) <= np.float32(0.99e-3)) & (lowest >= 0)
    return highest, sound


@compiled
def taken_out(probs, labels, lowest):
    """Return the probabilities of some labels, at least `lowest`, divided by their sum.

    Args:
        probs: `(N, K) float32`, C-contiguous.
        labels: `(L,) int64`.
        lowest: What keeps a pixel that has none of them from dividing by 0; it becomes uniform.

    Returns:
        `(N, L) float32`.
    """
    result = np.empty((probs.shape[0], labels.size), np.float32)
    for v in range(probs.shape[0]):
        total = np.float32(0)
        for place in range(labels.size):
            value = max(probs[v, labels[place]], lowest)
            result[v, place] = value
            total += value
        for place in range(labels.size):
            result[v, place] /= total
    return result


@compiled
def put_back(marginals, labels, classes):
    """Return `(N, K) float32`: the `(N, L)` marginals in the labels' places, 0 elsewhere."""
    result = np.zeros((marginals.shape[0], classes), np.float32)
    for v in range(marginals.shape[0]):
        for place in range(labels.size):
            result[v, labels[place]] = marginals[v, place]
    return result
