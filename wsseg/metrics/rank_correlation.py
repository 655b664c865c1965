"""Spearman's rank correlation of two maps."""

import numpy as np

from wsseg.errors import InputError
from wsseg.metrics.map_checks import checked


def rank_correlation(map_hw: np.ndarray, other_hw: np.ndarray) -> float:
    """Return Spearman's rank correlation of two maps' pixels; equal values share their mean rank.

    The correlation with a constant map is undefined. Here it is 0, because a constant map tells nothing about the
    other map; it is 1 if both maps are constant.

    Args:
        map_hw: `(H, W)` real.
        other_hw: `(H, W)` real, the same shape.

    Returns:
        In [-1, 1].

    Raises:
        InputError: The shapes differ, or a value is not finite.

    Example:
        >>> rising = np.array([[1.0, 2.0], [3.0, 4.0]])
        >>> round(rank_correlation(rising, rising**3), 6), round(rank_correlation(rising, -rising), 6)
        (1.0, -1.0)
    """
    one, two = checked(map_hw), checked(other_hw)
    if one.shape != two.shape:
        raise InputError(f"`map_hw` {one.shape} and `other_hw` {two.shape} must have the same shape")
    first, second = _ranks(one), _ranks(two)
    sizes = np.linalg.norm(first), np.linalg.norm(second)
    if not all(sizes):
        return 1.0 if not any(sizes) else 0.0
    return float(np.clip(first @ second / (sizes[0] * sizes[1]), -1, 1))


def _ranks(values: np.ndarray) -> np.ndarray:
    """Return the ranks minus their mean; all are 0 if the values are equal."""
    _, index, counts = np.unique(values.ravel(), return_inverse=True, return_counts=True)
    ranks = np.cumsum(counts) - (counts - 1) / 2
    return (ranks - (values.size + 1) / 2)[index]
