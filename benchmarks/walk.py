"""The random walk of an image beside the public codes' form of it: a dense matrix, squared 8 times.

    python benchmarks/walk.py [--side 375 500] [--classes 3] [--squarings 1]

Cells of stride 4, radius 5, beta 10, 256 steps. The dense form is float32 NumPy on all cores; of its 8 equal squarings
`--squarings` are run, and the time is multiplied. Peak memory is that of the matrices, and what `tracemalloc` sees.
"""

import argparse
import time
import tracemalloc

import numpy as np

from wsseg.refiners.affinity import directions, edge_affinity
from wsseg.refiners.random_walk import RandomWalk

RADIUS, BETA = 5, 10


def dense(affinities: np.ndarray) -> np.ndarray:
    """Return the transition matrix, `(n, n)` float32."""
    _, height, width = affinities.shape
    matrix = np.eye(height * width, dtype=np.float32)
    cells = np.arange(height * width).reshape(height, width)
    for (down, right), values in zip(directions(RADIUS), affinities):
        region = slice(0, height - down), slice(max(0, -right), width - max(0, right))
        start = cells[region]
        end = start + down * width + right
        matrix[start, end] = matrix[end, start] = values[region] ** BETA
    return matrix / matrix.sum(axis=0, keepdims=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--side", nargs=2, type=int, default=(375, 500))
    parser.add_argument("--classes", type=int, default=3)
    parser.add_argument("--squarings", type=int, default=1)
    given = parser.parse_args()
    height, width = (-(-side // 4) for side in given.side)
    random = np.random.default_rng(0)
    edge = random.random((height, width)) ** 4
    maps = random.random((height, width, given.classes)).astype(np.float32)
    RandomWalk()(maps[:9, :9], edge[:9, :9])  # compiled

    best = np.inf
    for _ in range(3):
        start = time.perf_counter()
        RandomWalk(BETA, 256, RADIUS)(maps, edge)
        best = min(best, time.perf_counter() - start)
    tracemalloc.start()
    RandomWalk(BETA, 2, RADIUS)(maps, edge)
    peak = tracemalloc.get_traced_memory()[1] / 1e6
    tracemalloc.stop()
    print(f"{height} x {width} cells, {given.classes} classes")
    print(f"  applied 256 times: {best:.3f} s, {peak:.1f} MB")
    if given.squarings:
        matrix = dense(edge_affinity(edge))
        start = time.perf_counter()
        for _ in range(given.squarings):
            matrix = matrix @ matrix
        seconds = (time.perf_counter() - start) / given.squarings * 8
        size = 2 * matrix.nbytes / 1e6
        print(f"  squared 8 times:   {seconds:.1f} s, {size:.0f} MB: {seconds / best:.0f} times as long")


if __name__ == "__main__":
    main()
