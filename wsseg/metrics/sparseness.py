"""Sparseness: how strongly a map is concentrated on few pixels, by the Gini index."""

from typing import Any

import numpy as np

from wsseg.errors import InputError
from wsseg.metrics.map_checks import checked


def gini_index(values: np.ndarray) -> float:
    r"""Return the Gini index of the absolute values.

    $G(v) = 1 - 2 \sum_{k=1}^{d} \frac{v_{(k)}}{||v||_1} \cdot \frac{d - k + 0.5}{d}$ with $v_{(1)} \leq ... \leq
    v_{(d)}$ the absolute values in rising order (Chalasani et al., equation 6, after Hurley and Rickard).

    Args:
        values: Real numbers in an array of any shape, at least one.

    Returns:
        In [0, 1): 0 if all absolute values are equal, 1 - 1 / d if only one of d values is not 0; nan if all are 0.

    Raises:
        InputError: There is no value, or one is not finite.

    Example:
        >>> gini_index(np.array([1.0, 1.0, 1.0, 1.0])), gini_index(np.array([0.0, 0.0, 0.0, 2.0]))
        (0.0, 0.75)

    References:
        Chalasani et al., Concise Explanations of Neural Networks using Adversarial Training, ICML 2020.
        Hurley and Rickard, Comparing Measures of Sparsity, IEEE Trans. Information Theory 2009.
    """
    sizes = np.sort(np.abs(np.asarray(values, np.float64)).ravel())
    if not sizes.size or not np.isfinite(sizes).all():
        raise InputError(f"`values` must be finite and at least one; got shape {np.shape(values)}")
    if sizes[-1] == 0:
        return float("nan")
    sizes = sizes / sizes[-1]
    count = len(sizes)
    places = (count - np.arange(1, count + 1) + 0.5) / count
    return float(max(1 - 2 * (sizes @ places) / sizes.sum(), 0.0))  # rounding may leave -1e-16


class Sparseness:
    """Mean Gini index of any number of maps. A map of zeros has no index: it is left out and counted separately.

    Example:
        >>> score = Sparseness()
        >>> for drawn in ([[1.0, 1.0]], [[0.0, 1.0]], [[0.0, 0.0]]):
        ...     score.update(np.array(drawn))
        >>> score.result()
        {'sparseness': 0.25, 'maps': 3, 'empty': 1}
    """

    def __init__(self):
        self.maps = self.empty = 0
        self._sum = 0.0

    def update(self, map_hw: np.ndarray) -> None:
        """Count one map, `(H, W)` real.

        Raises:
            InputError: The map is not `(H, W)`, or not finite.
        """
        found = gini_index(checked(map_hw))
        self.maps += 1
        if np.isnan(found):
            self.empty += 1
        else:
            self._sum += found

    def result(self) -> dict[str, Any]:
        """Return `sparseness` in [0, 1] (None if no map has one), `maps`, and `empty`, the number of maps of zeros."""
        left = self.maps - self.empty
        return {"sparseness": self._sum / left if left else None, "maps": self.maps, "empty": self.empty}
