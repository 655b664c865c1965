"""Unary energies of the dense CRF, from labels or from probabilities."""

import numpy as np

from wsseg.errors import InputError

LOWEST_PROBABILITY = 1e-5
"""Lower clip of probabilities, from pydensecrf's `unary_from_softmax`. It keeps the energy of probability 0 finite."""


def probabilities_from_labels(
    labels: np.ndarray, num_classes: int, confidence: float = 0.7, ignore: int = 255
) -> np.ndarray:
    """Turn a mask into probabilities, with a fixed confidence in its labels.

    Args:
        labels: `(H, W)` integers: 0..K-1, or `ignore` where nothing is known.
        num_classes: Number of classes K.
        confidence: Probability of the pixel's label (IRN's `gt_prob`: 0.7); the other classes share the rest.
        ignore: Value of an unlabelled pixel; its probabilities are uniform, 1/K.

    Returns:
        `(H, W, K) float32`, summing to 1 over K.

    Raises:
        InputError: An id is outside 0..K-1, or the confidence is outside [1/K, 1).

    Example:
        >>> print(probabilities_from_labels(np.array([[0, 2, 255]]), num_classes=3)[0].round(2))
        [[0.7  0.15 0.15]
         [0.15 0.15 0.7 ]
         [0.33 0.33 0.33]]

    References:
        pydensecrf, `unary_from_labels`; IRN, `imutils.crf_inference_label`.
    """
    labels = np.asarray(labels)
    if labels.ndim != 2 or labels.dtype.kind not in "iu":
        raise InputError(f"`labels` must be (H, W) integers; got {labels.shape} {labels.dtype}")
    known = labels != ignore
    ids = np.where(known, labels, 0)
    if ids.size and (ids.min() < 0 or ids.max() >= num_classes):
        raise InputError(f"`labels` must be in 0..{num_classes - 1} or {ignore}; got {ids.max()}")
    if num_classes == 1:
        return np.ones((*labels.shape, 1), np.float32)
    if not 1 / num_classes <= confidence < 1:
        raise InputError(
            f"`confidence` must be from 1/K = {1 / num_classes:.3g} up to below 1; got {confidence}; try 0.7"
        )
    table = np.full((num_classes, num_classes), (1 - confidence) / (num_classes - 1), np.float32)
    np.fill_diagonal(table, confidence)
    result = table[ids]
    result[~known] = 1 / num_classes
    return result


def unary_from_probabilities(probabilities: np.ndarray) -> np.ndarray:
    """Return the energies -log(clip(p, 1e-5, 1)).

    Args:
        probabilities: `float` of any shape, in [0, 1].

    Returns:
        `float32` of the same shape.

    Example:
        >>> print(unary_from_probabilities(np.array([0.5, 0.0])).round(3))
        [ 0.693 11.513]

    References:
        pydensecrf, `unary_from_softmax`.
    """
    return -np.log(np.clip(probabilities, LOWEST_PROBABILITY, 1, dtype=np.float32))
