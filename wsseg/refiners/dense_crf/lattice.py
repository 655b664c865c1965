"""The permutohedral lattice of an image: the lattice points around each pixel, and their neighbours."""

import math
from typing import NamedTuple

import numpy as np

from wsseg.errors import InputError
from wsseg.refiners.dense_crf.compiled import compiled
from wsseg.refiners.dense_crf.geometry import feature_scale, key_spans
from wsseg.refiners.dense_crf.simplex import place

STRIP = 64
"""Width of a strip, columns. Pixels are visited in vertical strips, and row by row in each strip, so that the lattice
points that neighbours share stay in the processor's cache. Offsets, weights and all work memory have this order."""

MULTIPLIER = np.uint64(0x9E3779B97F4A7C15)  # 2^64 / golden ratio: spreads keys over the table
ODD = (0x9E3779B97F4A7C15, 0xC2B2AE3D27D4EB4F, 0x165667B19E3779F9, 0xD6E8FEB86659FD93, 0xFF51AFD7ED558CCD)
FARTHEST = 2**21  # largest distance of a pixel from the origin: float32 still resolves quarters
FEWEST_BITS, MOST_BITS = 10, 19  # bits of the table at the start; the table doubles when needed


class Lattice(NamedTuple):
    """A lattice over an image of N pixels with d features. It has M points; d + 1 of them are around each pixel."""

    offsets: np.ndarray
    """`(N * (d + 1),) int32`: Points around each pixel, in 0..M-1."""
    weights: np.ndarray
    """`(N * (d + 1),) float32`: Barycentric coordinates of each pixel, which sum to 1."""
    chains: np.ndarray
    """`int32`: Lines of neighbours along each axis, point after point. The last point of a line is stored as
    `-1 - point`. Points without neighbours along an axis are omitted."""
    ends: np.ndarray
    """`(d + 2,) int64`: Begin and end of each axis in `chains`."""
    mass: np.ndarray
    """`(M,) float32`: Sum of the weights at each point."""


def lattice(
    size_hw: tuple[int, int], sxy: float, image: np.ndarray | None = None, srgb: float = 1
) -> Lattice:
    """Build the lattice of the features (x / sxy, y / sxy) and, with an image, (r, g, b) / srgb.

    Args:
        size_hw: Height and width, pixels.
        sxy: Positional standard deviation, pixels.
        image: `(H, W, 3) uint8`, C-contiguous; or None.
        srgb: Colour standard deviation, in 0..255 units.

    Returns:
        The lattice.

    Raises:
        InputError: The standard deviations are too small for float32 to resolve a simplex.

    References:
        Adams, Baek and Davis, Fast High-Dimensional Filtering Using the Permutohedral Lattice, Eurographics 2010,
        sections 3.1 (the lattice and its scale), 3.2 (splat).
    """
    dims = 2 if image is None else 5
    height, width = size_hw
    scale = feature_scale(dims)
    highest = [width / sxy, height / sxy] + [255 / srgb] * (dims - 2)
    if sum(a * b for a, b in zip(highest, scale)) > FARTHEST:
        raise InputError(
            f"the CRF's standard deviations (sxy {sxy}, srgb {srgb}) are too small for {height} x {width} pixels: "
            "float32 cannot distinguish neighbours; see DenseCRF.preset for usual values"
        )
    if image is None:
        image = np.zeros((1, 1, 3), np.uint8)
    count = height * width * (dims + 1)
    offsets, weights = np.empty(count, np.int32), np.empty(count, np.float32)
    chains, ends, mass = _build(
        image,
        height,
        width,
        dims,
        np.float32(sxy),
        np.float32(srgb),
        scale,
        key_units([a * b for a, b in zip(highest, scale)]),
        min(max(FEWEST_BITS, (height * width).bit_length() + 1), MOST_BITS),
        offsets,
        weights,
    )
    return Lattice(offsets, weights, chains, ends, mass)


def key_units(highest: list[float]) -> np.ndarray:
    """Return the unit of each coordinate in a lattice point's 64-bit key, which is sum(coordinate * unit).

    Each coordinate gets the bits that its range needs. If the bits exceed 64 in total (colour widths below 0.1), the
    units are odd numbers without a pattern. Then two of a million points share a key with a probability of 1 in 10
    million.

    Args:
        highest: Highest values of the d scaled features.

    Returns:
        `(d + 1,) uint64`; the last unit is 0, because the last coordinate follows from the others.

    Example:
        >>> key_units([100.0, 50.0]).tolist()
        [1, 256, 0]
    """
    units, bits = [], 0
    for span in key_spans(highest):
        units.append(1 << bits)
        bits += math.ceil(math.log2(span))
    return np.array([*(units if bits <= 64 else ODD[: len(highest)]), 0], np.uint64)


@compiled
def _rehashed(points, number, bits):
    """Return a hash table of 2^bits slots: each point's index is at or after its key's slot; free slots hold -1."""
    table = np.full(1 << bits, -1, np.int32)
    shift, mask = np.uint64(64 - bits), np.uint64((1 << bits) - 1)
    for index in range(number):
        slot = (points[index] * MULTIPLIER) >> shift
        while table[slot] >= 0:
            slot = (slot + np.uint64(1)) & mask
        table[slot] = index
    return table


@compiled
def _neighbours(points, number, table, bits, delta, after, has_before):
    """Write each point's next neighbour (its key is `delta` higher) or -1, and mark points with a previous neighbour.

    Whether a neighbour exists is unpredictable, so the code does not branch on it. The last element of `has_before` is
    an extra one, for points without a next neighbour.
    """
    shift, mask = np.uint64(64 - bits), np.uint64((1 << bits) - 1)
    has_before[:number] = False
    # All first lookups of a block come before the work on their results, so that the reads of the table overlap.
    for start in range(0, number, 256):
        stop = min(start + 256, number)
        for i in range(start, stop):
            after[i] = table[((points[i] + delta) * MULTIPLIER) >> shift]
        for i in range(start, stop):
            found, key = after[i], points[i] + delta
            if (found >= 0) & (points[max(found, 0)] != key):
                slot = (key * MULTIPLIER) >> shift
                while found >= 0 and points[found] != key:
                    slot = (slot + np.uint64(1)) & mask
                    found = table[slot]
                after[i] = found
            has_before[found if found >= 0 else number] = True


@compiled
def _build(image, height, width, dims, sxy, srgb, scale, units, bits, offsets, weights):
    corners = dims + 1
    features = np.empty((dims, STRIP), np.float32)
    colours = np.arange(256).astype(np.float32) / srgb
    elevated = np.empty((corners + 1, STRIP), np.float32)
    rest = np.empty((2 * corners, STRIP), np.float32)
    rank = np.empty((corners, STRIP), np.int32)
    order = np.empty((corners, STRIP), np.uint64)
    keys = np.empty((corners, STRIP), np.uint64)
    looks = np.empty((corners, STRIP), np.int32)
    points = np.empty(1 << (bits - 1), np.uint64)  # the table is at most half full
    mass = np.empty(1 << (bits - 1), np.float32)
    table = _rehashed(points, 0, bits)
    number = first = 0
    for left in range(0, width, STRIP):
        count = min(STRIP, width - left)
        for p in range(count):
            features[0, p] = np.float32(left + p) / sxy
        for y in range(height):
            features[1, :count] = np.float32(y) / sxy
            for channel in range(dims - 2):
                row = features[2 + channel]
                for p in range(count):
                    row[p] = colours[image[y, left + p, channel]]
            place(features, count, scale, units, weights, first, keys, elevated, rest, rank, order)
            while number + count * corners > points.size:
                bits += 1
                more_points, more_mass = (
                    np.empty(1 << (bits - 1), np.uint64),
                    np.empty(1 << (bits - 1), np.float32),
                )
                more_points[:number] = points[:number]
                more_mass[:number] = mass[:number]
                points, mass = more_points, more_mass
                table = _rehashed(points, number, bits)
            shift, mask = np.uint64(64 - bits), np.uint64((1 << bits) - 1)
            # All first lookups come before the work on their results, so that the reads of the table overlap.
            for k in range(corners):
                for p in range(count):
                    looks[k, p] = table[(keys[k, p] * MULTIPLIER) >> shift]
            for p in range(count):
                for k in range(corners):
                    key, index = keys[k, p], looks[k, p]
                    if index < 0 or points[index] != key:
                        slot = (key * MULTIPLIER) >> shift
                        index = table[slot]
                        while index >= 0 and points[index] != key:
                            slot = (slot + np.uint64(1)) & mask
                            index = table[slot]
                        if index < 0:
                            index = np.int32(number)
                            table[slot] = index
                            points[number] = key
                            mass[number] = 0
                            number += 1
                    at = (first + p) * corners + k
                    offsets[at] = index
                    mass[index] += weights[at]
            first += count
    # A step along axis j adds 1 to each coordinate and subtracts d + 1 from coordinate j.
    ones = np.uint64(0)
    for i in range(dims):
        ones += units[i]
    after, heads, has_before = (
        np.empty(number, np.int32),
        np.empty(number + 1, np.int32),
        np.empty(number + 1, np.bool_),
    )
    chains, ends = np.empty(corners * number, np.int32), np.zeros(corners + 1, np.int64)
    filled = 0
    for axis in range(corners):
        _neighbours(points, number, table, bits, ones - np.uint64(corners) * units[axis], after, has_before)
        # The end of a line is unpredictable too, so the heads are listed, and the lines walked, without a branch.
        lines = entries = 0
        for i in range(number):
            begins = (after[i] >= 0) & (not has_before[i])
            heads[lines] = i
            lines += begins
            entries += (after[i] >= 0) | has_before[i]
        heads[lines] = 0
        line, point = 0, np.intp(heads[0])
        for entry in range(filled, filled + entries):
            following = np.intp(after[point])
            ended = following < 0
            line += ended
            chains[entry] = point ^ -np.intp(ended)
            point = np.intp(heads[line]) if ended else following
        filled += entries
        ends[axis + 1] = filled
    return chains[:filled], ends, mass[:number].copy()
