"""Average precision: how well scores rank the images with a class before those without."""

import numpy as np

from wsseg.errors import InputError


def average_precision(scores: np.ndarray, truth: np.ndarray) -> float:
    """Return the area under the step-wise precision-recall curve.

    Args:
        scores: `(N,) float`: a higher score means that the class is more likely present. Only their order matters.
        truth: `(N,) bool` or 0/1: present or not.

    Returns:
        sum_n (R_n - R_(n-1)) P_n over the distinct scores as thresholds, in falling order. Images of equal
        score are added together, so the value does not depend on their order. nan if no image is positive.
        There is no interpolation: this is not the 11-point average precision of VOC 2007.

    Raises:
        InputError: The shapes differ, a score is not finite, or `truth` holds values other than 0 and 1.

    Example:
        >>> round(average_precision(np.array([0.1, 0.4, 0.35, 0.8]), np.array([0, 0, 1, 1])), 4)
        0.8333

    References:
        The definition of scikit-learn's `average_precision_score`.
    """
    scores, truth = np.asarray(scores), np.asarray(truth)
    if scores.ndim != 1 or scores.shape != truth.shape:
        raise InputError(f"`scores` {scores.shape} and `truth` {truth.shape} must both be (N,)")
    if not np.isfinite(scores).all():
        raise InputError("`scores` must be finite; got nan or infinity; check the classifier's output")
    if not np.isin(truth, (0, 1)).all():
        raise InputError("`truth` must hold 0 and 1 only; got other values; give one column per class")
    positives = np.count_nonzero(truth)
    if positives == 0:
        return float("nan")
    order = np.argsort(-scores, kind="stable")
    hits = np.cumsum(truth[order].astype(np.int64))
    # The last of each run of equal scores; thresholds lie there.
    last = np.flatnonzero(np.append(np.diff(scores[order]) != 0, True))
    precision = hits[last] / (last + 1)
    recall = hits[last] / positives
    return float(np.sum(np.diff(recall, prepend=0.0) * precision))


def mean_average_precision(scores: np.ndarray, truth: np.ndarray) -> tuple[float, np.ndarray]:
    """Return the mean of the classes' average precision, and the average precision of each class.

    Args:
        scores: `(N, K) float`.
        truth: `(N, K) bool` or 0/1.

    Returns:
        The mean over the classes that occur in some image (nan if there are none), and `(K,) float64` with
        nan for classes that occur in no image.

    Raises:
        InputError: See `average_precision`.

    Example:
        >>> mean_average_precision(np.array([[0.9, 0.2], [0.1, 0.3]]), np.array([[1, 0], [0, 0]]))
        (1.0, array([ 1., nan]))
    """
    scores, truth = np.asarray(scores), np.asarray(truth)
    if scores.ndim != 2 or scores.shape != truth.shape:
        raise InputError(f"`scores` {scores.shape} and `truth` {truth.shape} must both be (N, K)")
    each = np.array([average_precision(scores[:, k], truth[:, k]) for k in range(scores.shape[1])], float)
    present = each[~np.isnan(each)]
    return (float(present.mean()) if present.size else float("nan")), each
