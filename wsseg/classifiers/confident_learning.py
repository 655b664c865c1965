"""Find wrong image-level labels by what classifiers say that have not seen them."""

import numpy as np

from wsseg.errors import InputError


def corrected(labels: np.ndarray, probabilities: np.ndarray) -> np.ndarray:
    """Turn the labels that out-of-fold probabilities contradict with confidence.

    Every class is a problem of its own: present or absent. With p(1) = p and p(0) = 1 - p of an image, the threshold
    t(j) is the mean of p(j) over the images labelled j: a classifier's usual confidence where it is told j. A label i
    of an image is turned into j != i where p(j) >= t(j), so that the pair is off the diagonal of confident learning's
    joint, and p(j) > 1/2 as well, so that j is also what the classifier says. The thresholds adapt to the classes and
    to the noise; without the half, a classifier that knows little, whose thresholds lie in the middle of all its
    values, would add labels at random. A class that all images have, or none, stays as it is.

    It removes right labels too, where the classifier errs with confidence: without noise it can only harm, and it needs
    a classifier that is good on images it has not seen: one that knows nothing drops half of a rare class's labels.

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
        3.1 (thresholds, confident joint) and 3.2 (pairs off the diagonal; predictions that differ from the label) †,
        where examples of either are pruned, not those of both turned: of two values the other one is known. († quoted
        from memory.)
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
        result[~present & (p >= p[present].mean()) & (p > 0.5), k] = 1
        result[present & (1 - p >= (1 - p[~present]).mean()) & (p < 0.5), k] = 0
    return result
