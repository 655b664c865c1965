"""Find wrong image-level labels by what classifiers say that have not seen them."""

import numpy as np

from wsseg.errors import InputError


def corrected(labels: np.ndarray, probabilities: np.ndarray) -> np.ndarray:
    """Turn the labels that out-of-fold probabilities contradict with confidence.

    Every class is a problem of its own: present or absent. With p(1) = p and p(0) = 1 - p of an image, the threshold
    t(j) is the mean of p(j) over the images labelled j: a classifier's usual confidence where it is told j. An image
    counts as confidently j where p(j) >= t(j), and, if it passes both thresholds, where p(j) is also the larger. A
    label i of an image that is confidently j != i is turned into j: these are the pairs off the diagonal of confident
    learning's joint. Thresholds adapt to classes that the classifier is unsure of, and to the noise, which makes it
    unsure. A class that all images have, or none, stays as it is.

    It removes right labels too, where the classifier errs with confidence: without noise it can only harm.

    Args:
        labels: `(N, K)` 0 or 1.
        probabilities: `(N, K)` in [0, 1]: of presence, from classifiers that were not trained on the image.

    Returns:
        `(N, K)` of the labels' dtype.

    Raises:
        InputError: The arrays are of other shapes or values.

    Example:
        >>> labels = np.array([[1], [1], [1], [0], [0], [0]])
        >>> probabilities = np.array([[0.9], [0.8], [0.1], [0.2], [0.1], [0.95]])
        >>> corrected(labels, probabilities)[:, 0].tolist()  # t(1) = 0.6, t(0) = 0.58
        [1, 1, 0, 0, 0, 1]

    References:
        Northcutt, Jiang and Chuang, Confident Learning: Estimating Uncertainty in Dataset Labels, JAIR 2021, sections
        3.1 (thresholds, confident joint, ties by the larger probability) and 3.2 (pairs off the diagonal) †, where such
        examples are pruned rather than turned: of two values the other one is known. († quoted from memory.)
    """
    labels, probabilities = np.asarray(labels), np.asarray(probabilities, np.float64)
    if labels.ndim != 2 or labels.shape != probabilities.shape:
        raise InputError(
            f"`labels` and `probabilities` must both be (N, K); got {labels.shape} and {probabilities.shape}"
        )
    # Written so that nan fails too.
    if labels.size and not (probabilities.min() >= 0 and probabilities.max() <= 1):
        raise InputError(
            f"`probabilities` must be in [0, 1]; got {probabilities.min():.4g}..{probabilities.max():.4g}; "
            "logits need a sigmoid"
        )
    result = labels.copy()
    for k in range(labels.shape[1]):
        present, p = labels[:, k] > 0, probabilities[:, k]
        if present.all() or not present.any():
            continue
        is_present, is_absent = p >= p[present].mean(), 1 - p >= (1 - p[~present]).mean()
        both = is_present & is_absent
        is_present, is_absent = is_present & (~both | (p > 0.5)), is_absent & (~both | (p < 0.5))
        result[~present & is_present, k] = 1
        result[present & is_absent, k] = 0
    return result
