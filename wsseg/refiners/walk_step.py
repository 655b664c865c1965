"""One step of the random walk, compiled."""

import numba
import numpy as np


@numba.njit(fastmath=True)
def _add_product(total: np.ndarray, one: np.ndarray, other: np.ndarray) -> None:
    for place in range(len(total)):
        total[place] += one[place] * other[place]


@numba.njit(
    "f8[:,:,::1](f8[:,:,::1], f4[:,:,::1], i8[:,::1], f8[:,:,::1])", cache=True, nogil=True, fastmath=True
)
def walk_step(maps: np.ndarray, powers: np.ndarray, steps: np.ndarray, out: np.ndarray) -> np.ndarray:
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
