"""Gaussian filters over a lattice (splat, blur, slice), and their symmetric normalisation.

Values are flat float32 arrays. They hold one row per lattice point, with one number per label.
"""

import math
from typing import NamedTuple

import numpy as np

from wsseg.refiners.dense_crf.compiled import compiled
from wsseg.refiners.dense_crf.lattice import Lattice
from wsseg.refiners.dense_crf.rows import add_scaled, filled, put, take

TINY = 1e-20
"""Constant from pydensecrf that keeps the norm finite."""


class Kernel(NamedTuple):
    """A Gaussian kernel, normalised and weighted, ready for the mean field.

    The message w * norm * filter(norm * q) equals `weights` * blur(sum of `weights` * q), because `weights` is the
    product of the barycentric coordinates and sqrt(w * alpha) * norm.
    """

    offsets: np.ndarray
    """`(N * (d + 1),) int32`, see `Lattice`."""
    weights: np.ndarray
    """`(N * (d + 1),) float32`."""
    chains: np.ndarray
    """See `Lattice`."""
    ends: np.ndarray
    """See `Lattice`."""
    points: int
    """Number of lattice points, M."""
    whole: np.ndarray
    """`(N,) float32`: Sum of the messages of all labels."""

    @property
    def nbytes(self) -> int:
        """Memory of the arrays, bytes."""
        return self.offsets.nbytes + self.weights.nbytes + self.chains.nbytes + self.whole.nbytes


def kernel(lattice: Lattice, weight: float) -> Kernel:
    """Normalise and weight the filter of a lattice, in place.

    Args:
        lattice: Lattice; its weights and mass are overwritten.
        weight: Weight w of the kernel.

    Returns:
        The kernel.
    """
    dims = lattice.ends.size - 2
    alpha = 1 / (1 + 2.0**-dims)  # inverse of the approximate gain of splat, blur and slice
    blur(lattice.mass, lattice.chains, lattice.ends, (0,))
    whole = np.zeros(lattice.offsets.size // (dims + 1), np.float32)
    sums = np.zeros(lattice.mass.size, np.float32)
    factor = np.float32(math.sqrt(weight * alpha))
    _normalise(lattice.offsets, lattice.weights, whole.size, lattice.mass, np.float32(alpha), factor, sums)
    blur(sums, lattice.chains, lattice.ends, (0,))
    _slice_one(lattice.offsets, lattice.weights, sums, whole)
    return Kernel(lattice.offsets, lattice.weights, lattice.chains, lattice.ends, lattice.mass.size, whole)


def no_kernel(dims: int, pixels: int) -> Kernel:
    """Return a kernel whose message is 0."""
    corners = pixels * (dims + 1)
    nothing = np.zeros(corners, np.int32), np.zeros(corners, np.float32), np.zeros(0, np.int32)
    return Kernel(*nothing, np.zeros(dims + 2, np.int64), 1, np.zeros(pixels, np.float32))


@compiled
def _normalise(offsets, weights, pixels, mass, alpha, factor, sums):
    """Multiply the weights by factor / sqrt(filter(1)), and add their splat to `sums`."""
    corners = offsets.size // pixels
    for v in range(pixels):
        one = np.float32(0)
        for k in range(corners):
            one += weights[v * corners + k] * mass[offsets[v * corners + k]]
        norm = factor / np.sqrt(one * alpha + np.float32(TINY))
        for k in range(corners):
            weights[v * corners + k] *= norm
            sums[offsets[v * corners + k]] += weights[v * corners + k]


@compiled
def _slice_one(offsets, weights, values, out):
    corners = offsets.size // out.size
    for v in range(out.size):
        result = np.float32(0)
        for k in range(corners):
            result += weights[v * corners + k] * values[offsets[v * corners + k]]
        out[v] = result


@compiled
def blur(values, chains, ends, lanes):
    """Filter by (1/2, 1, 1/2) along each axis, in place.

    The loop walks along each line of neighbours and keeps the previous point. At the end of a line, a factor of 0
    separates it from the next line. There is no branch, and points without neighbours cost nothing.
    """
    half, points = np.float32(0.5), values.size // len(lanes)
    for axis in range(ends.size - 1):
        first, last = ends[axis], ends[axis + 1]
        if first == last:
            continue
        entry = chains[first]
        point = np.intp(entry ^ (entry >> np.int32(31)))  # -1 - entry where negative
        now = take(values, points, point, lanes)
        before, from_before = filled(np.float32(0), lanes), np.float32(0)
        for index in range(first, last - 1):
            from_after = half if entry >= 0 else np.float32(0)
            entry = chains[index + 1]
            next_point = np.intp(entry ^ (entry >> np.int32(31)))
            after = take(values, points, next_point, lanes)
            put(values, points, point, add_scaled(add_scaled(now, from_before, before), from_after, after))
            before, now, point, from_before = now, after, next_point, from_after
        put(values, points, point, add_scaled(now, from_before, before))
