"""Grow a place from its strongest atom."""

import heapq
from collections.abc import Sequence

import numpy as np


def grow(strengths: np.ndarray, neighbours: Sequence[np.ndarray], level: float) -> list[int]:
    """Grow a connected set of atoms, the strongest that touches it first.

    Args:
        strengths: `(A,)` float: each atom's evidence.
        neighbours: For each atom the indices of those it touches.
        level: Only atoms above it are taken.

    Returns:
        The atoms in the order in which they were taken, the strongest of all first; empty where none is above the
        level.

    Example:
        >>> grow(np.array([0.5, 0.9, 0.1, 0.7]), [[1], [0, 2], [1, 3], [2]], level=0.2)
        [1, 0]
    """
    strengths = np.asarray(strengths, np.float64)
    seed = int(np.argmax(strengths))
    if not strengths[seed] > level:
        return []
    taken, seen, front = [], {seed}, [(-strengths[seed], seed)]
    while front:
        _, atom = heapq.heappop(front)
        taken.append(atom)
        for other in neighbours[atom]:
            other = int(other)
            if other not in seen and strengths[other] > level:
                seen.add(other)
                heapq.heappush(front, (-strengths[other], other))
    return taken
