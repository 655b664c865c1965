"""Random walk: class maps spread to cells that are alike, and stop where they are not."""

import numba
import numpy as np

from wsseg.errors import InputError
from wsseg.refiners.affinity import directions


class RandomWalk:
    r"""Spread maps by a random walk over neighbouring cells, $m \leftarrow m T$, a stated number of times.

    $T = D^{-1} A^{\circ \beta}$, with the affinities $A$ of neighbours (1 of a cell with itself) each raised to
    $\beta$, and $D$ their sums: each step gives a cell the mean of its neighbours, weighted by how alike they are.

    The public codes form the dense $n \times n$ matrix of all n cells and square it 8 times for $T^{256}$. Here the
    affinities are applied to the maps 256 times: the same product in another order, with memory in proportion to n.

    Args:
        affinities: `(D, h, w)` float in [0, 1], of `edge_affinity` or `feature_affinity`.
        radius: That they were made with.
        beta: The power; the larger, the more a small difference counts. 10 in IRN, 8 in PSA.

    Raises:
        InputError: Not of that form.

    Example:
        >>> from wsseg.refiners.affinity import edge_affinity
        >>> edge = np.zeros((1, 8))
        >>> edge[0, 5] = 1  # a boundary that nothing passes
        >>> seed = np.zeros((1, 1, 8), np.float32)
        >>> seed[0, 0, 1] = 1
        >>> RandomWalk(edge_affinity(edge), radius=5)(seed)[0].round(2)
        array([[0.2, 0.2, 0.2, 0.2, 0.2, 0. , 0. , 0. ]], dtype=float32)

    References:
        Ahn and Kwak, CVPR 2018 (PSA), equation 7 and section 3.3; Ahn et al., CVPR 2019 (IRN), section 3.4.
    """

    def __init__(self, affinities: np.ndarray, radius: int = 5, beta: float = 10):
        affinities, steps = np.asarray(affinities), directions(radius)
        if affinities.ndim != 3 or len(affinities) != len(steps):
            raise InputError(
                f"`affinities` must be ({len(steps)}, h, w) for radius {radius}; got {affinities.shape}"
            )
        if not (affinities.min() >= 0 and affinities.max() <= 1):
            raise InputError(
                f"`affinities` must be in [0, 1]; got {affinities.min():.4g} to {affinities.max():.4g}"
            )
        if not 0 < beta < np.inf:
            raise InputError(f"`beta` must be positive; got {beta}; try 10")
        self.size_hw = affinities.shape[1:]
        self._steps = np.array(steps)
        self._powers = affinities.astype(np.float32) ** np.float32(beta)
        ones = np.ones((1, *self.size_hw))
        self._sums = _step(ones, self._powers, self._steps, np.empty_like(ones))

    def __call__(self, maps: np.ndarray, steps: int = 256) -> np.ndarray:
        """Walk.

        Args:
            maps: `(C, h, w)` float.
            steps: How often the walk steps; 256 in the public codes.

        Returns:
            `(C, h, w)` float32. A map keeps its mean where the affinities are even; its maximum falls.

        Raises:
            InputError: The maps have another size, or `steps` is no whole number from 0 up.
        """
        maps = np.asarray(maps)
        if maps.ndim != 3 or maps.shape[1:] != self.size_hw:
            raise InputError(f"`maps` must be (C, {self.size_hw[0]}, {self.size_hw[1]}); got {maps.shape}")
        if isinstance(steps, bool) or not isinstance(steps, (int, np.integer)) or steps < 0:
            raise InputError(f"`steps` must be a whole number, 0 or more; got {steps!r}; try 256")
        now = np.array(maps, np.float64)  # in float32 the rounding of 256 steps adds up to more than 1e-4
        then = np.empty_like(now)
        for _ in range(steps):
            _step(now, self._powers, self._steps, then)
            then /= self._sums
            now, then = then, now
        return now.astype(np.float32)


@numba.njit(fastmath=True)
def _add_product(total: np.ndarray, one: np.ndarray, other: np.ndarray) -> None:
    for place in range(len(total)):
        total[place] += one[place] * other[place]


@numba.njit(
    "f8[:,:,::1](f8[:,:,::1], f4[:,:,::1], i8[:,::1], f8[:,:,::1])", cache=True, nogil=True, fastmath=True
)
def _step(maps: np.ndarray, powers: np.ndarray, steps: np.ndarray, out: np.ndarray) -> np.ndarray:
    """Sum each cell and its neighbours, weighted, into `out`: each pair is visited once and counts both ways."""
    height, width = maps.shape[1:]
    out[:] = maps
    for row in range(height):
        for number in range(len(steps)):
            other, right = row + steps[number, 0], steps[number, 1]
            if other >= height:
                continue
            first, last = max(0, -right), width - max(0, right)
            # Views counted from 0: with indices that might be negative the loops are not vectorised.
            alike = powers[number, row, first:last]
            for channel in range(len(maps)):
                _add_product(
                    out[channel, row, first:last], alike, maps[channel, other, first + right : last + right]
                )
                _add_product(
                    out[channel, other, first + right : last + right], alike, maps[channel, row, first:last]
                )
    return out
