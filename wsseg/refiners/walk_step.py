"""One step of the random walk, compiled."""

import numba
import numpy as np


@numba.njit(fastmath=True)
def _add_product(total: np.ndarray, one: np.ndarray, other: np.ndarray) -> None:
    for index in range(len(total)):
        total[index] += one[index] * other[index]


@numba.njit(
    "f8[:,:,::1](f8[:,:,::1], f4[:,:,::1], i8[:,::1], f8[:,:,::1])", cache=True, nogil=True, fastmath=True
)
def walk_step(maps: np.ndarray, powers: np.ndarray, steps: np.ndarray, out: np.ndarray) -> np.ndarray:
    """Write the weighted sum of each cell and its neighbours into `out`. Each pair is visited once, for both cells."""
    height, width = maps.shape[1:]
    out[:] = maps
    for row in range(height):
        for number in range(len(steps)):
            other, right = row + steps[number, 0], steps[number, 1]
            if other >= height:
                continue
            first, last = max(0, -right), width - max(0, right)
            # The loops run over views, from index 0: with possibly negative indices they would not be vectorised.
            alike = powers[number, row, first:last]
            for channel in range(len(maps)):
                _add_product(
                    out[channel, row, first:last], alike, maps[channel, other, first + right : last + right]
                )
                _add_product(
                    out[channel, other, first + right : last + right], alike, maps[channel, row, first:last]
                )
    return out
