"""Find wrong image-level labels with classifiers that were not trained on them."""

import numpy as np

from wsseg.errors import InputError


def corrected(labels: np.ndarray, probabilities: np.ndarray) -> np.ndarray:
    """Flip the labels that out-of-fold probabilities contradict with confidence.

    Every class is a binary problem: present (1) or absent (0). Let p(1) = p and p(0) = 1 - p for an image. The
    threshold t(j) is the mean of p(j) over the images with label j: the classifier's usual confidence in label j. A
    label i of an image is flipped to j != i if p(j) >= t(j) and p(j) > 1/2. By the first condition the pair (i, j) is
    off the diagonal of confident learning's joint; by the second, the classifier predicts j. The thresholds adapt to
    the classes and to the noise. Without the second condition, a weak classifier, whose thresholds lie in the middle of
    all its values, would add labels at random. A class with the same label in all images is not changed.

    Correct labels are removed too, where the classifier is wrong with confidence. So without noise the method can only
    do harm, and it needs a classifier that is good on unseen images: one that has learnt nothing removes half of the
    labels of a rare class.

    Args:
        labels: `(N, K)` 0 or 1.
        probabilities: `(N, K)` in [0, 1]: probability that the class is present, from classifiers that were not trained
            on the image.

    Returns:
        Corrected labels, `(N, K)`, with the dtype of `labels`.

    Raises:
        InputError: The arrays have other shapes or values.

    Example:
        >>> labels = np.array([[1], [1], [1], [0], [0], [0]])
        >>> probabilities = np.array([[0.9], [0.8], [0.1], [0.2], [0.1], [0.95]])
        >>> corrected(labels, probabilities)[:, 0].tolist()  # t(1) = 0.6, t(0) = 0.58
        [1, 1, 0, 0, 0, 1]

    References:
        Northcutt, Jiang and Chuang, Confident Learning: Estimating Uncertainty in Dataset Labels, JAIR 2021, sections
        3.1 (thresholds, confident joint) and 3.2 (pairs off the diagonal; predictions that differ from the label) †.
        There, examples that meet one of the two conditions are pruned. Here, labels that meet both are flipped, since a
        binary label has only one other value. († quoted from memory.)
    """
    labels, probabilities = np.asarray(labels), np.asarray(probabilities, np.float64)
    if labels.ndim != 2 or labels.shape != probabilities.shape:
        raise InputError(
            f"`labels` and `probabilities` must both be (N, K); got {labels.shape} and {probabilities.shape}"
        )
    # The condition is written so that NaN fails too.
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
