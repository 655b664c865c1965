"""The permutohedral lattice's scale, and how far its coordinates reach."""

import math
from collections.abc import Sequence

import numpy as np


def feature_scale(dims: int) -> np.ndarray:
    """Return what features in units of their standard deviation are multiplied by, `(d,) float32`.

    With it, splat, blur and slice together are a Gaussian of standard deviation 1.

    References:
        Adams, Baek and Davis, Eurographics 2010, section 3.1; rounded as pydensecrf does it: another last digit moves
        each pixel inside its simplex by 1e-5.
    """
    deviation = float(np.float32(math.sqrt(2 / 3) * (dims + 1)))
    return np.array([1 / math.sqrt((i + 1) * (i + 2)) * deviation for i in range(dims)], np.float32)


def key_spans(highest: Sequence[float]) -> list[int]:
    """Return how many values each coordinate of a lattice point, or of its neighbour, can have.

    Args:
        highest: The d features' highest values, scaled; the lowest are 0.

    Returns:
        d whole numbers; the last coordinate, which follows from the others, is left out.

    Example:
        >>> key_spans([100.0, 50.0])
        [168, 168]
    """
    dims = len(highest)
    # Coordinate i is the sum of the features from i on, minus i times feature i - 1; rounding to a multiple of
    # d + 1, the simplex's corners and the neighbours of those add d + 1 each, on either side.
    return [
        math.ceil(sum(highest[i:]) + (i * highest[i - 1] if i else 0) + 6 * (dims + 1)) for i in range(dims)
    ]
