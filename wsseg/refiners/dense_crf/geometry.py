"""Scale of the permutohedral lattice, and range of its coordinates."""

import math
from collections.abc import Sequence

import numpy as np


def feature_scale(dims: int) -> np.ndarray:
    """Return the factors `(d,) float32` of the features, which are in units of their standard deviation.

    With these factors, splat, blur and slice together are a Gaussian of standard deviation 1.

    References:
        Adams, Baek and Davis, Eurographics 2010, section 3.1; rounded as in pydensecrf, because another last digit
        moves each pixel inside its simplex by 1e-5.
    """
    deviation = float(np.float32(math.sqrt(2 / 3) * (dims + 1)))
    return np.array([1 / math.sqrt((i + 1) * (i + 2)) * deviation for i in range(dims)], np.float32)


def key_spans(highest: Sequence[float]) -> list[int]:
    """Return the number of possible values of each coordinate of a lattice point or of its neighbour.

    Args:
        highest: Highest values of the d scaled features; the lowest values are 0.

    Returns:
        d whole numbers. The last coordinate has none, because it follows from the others.

    Example:
        >>> key_spans([100.0, 50.0])
        [168, 168]
    """
    dims = len(highest)
    # Coordinate i is the sum of the features from i on, minus i times feature i - 1. Rounding to a multiple of d + 1,
    # the simplex's corners, and the corners' neighbours each add d + 1, on both sides.
    return [
        math.ceil(sum(highest[i:]) + (i * highest[i - 1] if i else 0) + 6 * (dims + 1)) for i in range(dims)
    ]
