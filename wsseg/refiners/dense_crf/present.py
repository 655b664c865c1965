"""Find the labels present in an image, extract their probabilities, and put the marginals back. Compiled."""

import numpy as np

from wsseg.refiners.dense_crf.compiled import compiled


@compiled
def survey(probs):
    """Return each label's highest probability, and whether all probabilities are in [0, 1] and sum to 1 (to 0.99e-3).

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
    """Return the probabilities of some labels, raised to at least `lowest` and divided by their sum.

    Args:
        probs: `(N, K) float32`, C-contiguous.
        labels: `(L,) int64`: Labels, in 0..K-1.
        lowest: Lower bound of a probability. It prevents a division by 0: a pixel with none of the labels becomes
            uniform.

    Returns:
        `(N, L) float32`.
    """
    result = np.empty((probs.shape[0], labels.size), np.float32)
    for v in range(probs.shape[0]):
        total = np.float32(0)
        for index in range(labels.size):
            value = max(probs[v, labels[index]], lowest)
            result[v, index] = value
            total += value
        for index in range(labels.size):
            result[v, index] /= total
    return result


@compiled
def put_back(marginals, labels, classes):
    """Return `(N, K) float32`: the `(N, L)` marginals in the columns of `labels`, and 0 in the other columns."""
    result = np.zeros((marginals.shape[0], classes), np.float32)
    for v in range(marginals.shape[0]):
        for index in range(labels.size):
            result[v, labels[index]] = marginals[v, index]
    return result
