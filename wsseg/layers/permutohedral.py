"""Gaussian filtering on the permutohedral lattice as a graph: on any device, differentiable, also under XLA."""

import math
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from keras import ops

from wsseg.errors import InputError
from wsseg.refiners.dense_crf.geometry import feature_scale, key_spans


class Lattice(NamedTuple):
    """A lattice over R rows of d features: d + 1 points around each row, and M points in total."""

    corners: Any
    """`(d + 1, R) int32`: the points around each row."""
    weights: Any
    """`(d + 1, R, 1) float32`: the row's barycentric coordinates, which sum to 1."""
    neighbours: Any
    """`(d + 1, 2, M + 1) int32`: each point's neighbours along each axis. M stands for none: its values are all 0."""
    number: Any
    """`() int32`: number of points; more than M if there was no room for all of them."""


def lattice(
    features: Any, highest: Sequence[float], groups: Any, group_count: int, room: Any | None = None
) -> Lattice:
    """Build a lattice with array operations alone: distinct points are found by sorting keys, not with a hash table.

    Args:
        features: `(R, d) float32`, not negative, in units of their standard deviation.
        highest: Upper limit of each of the d features.
        groups: `(R,)` int64 in 0..group_count-1. Rows of one group (an image) share points; rows of different groups
            never do.
        group_count: Number of groups.
        room: M, an int or `()` int32 that depends on shapes alone, as XLA requires. None: as many points as there are.

    Returns:
        The lattice.

    Raises:
        InputError: The standard deviations are so small that 64-bit keys cannot distinguish the points.

    References:
        Adams, Baek and Davis, Fast High-Dimensional Filtering Using the Permutohedral Lattice, Eurographics 2010,
        sections 3.1 to 3.3.
    """
    dims, scale = features.shape[-1], feature_scale(features.shape[-1])
    base, weights, ranks = enclosing(features * scale)
    units = [1]
    for span in key_spans([a * float(b) for a, b in zip(highest, scale)]):
        units.append(units[-1] * span)
    if units[-1] * group_count >= 2**63:
        raise InputError(
            "the CRF's standard deviations are too small for images of this size; see DenseCRF.preset for usual ones"
        )
    steps = [np.int64(unit) for unit in (*units[:-1], 0)]  # change of the key if a coordinate grows by 1
    key = groups * units[-1] + sum(base[i] * steps[i] for i in range(dims + 1))
    # Corner k + 1 is corner k plus 1 in each coordinate, minus d + 1 in the coordinate of rank d - k.
    keys = [key]
    for k in range(dims):
        lowered = sum(ops.where(ranks[i] == dims - k, steps[i], np.int64(0)) for i in range(dims + 1))
        keys.append(keys[-1] + sum(steps) - (dims + 1) * lowered)
    points, corners, number = distinct(ops.concatenate(keys), room)
    deltas = [sign * (sum(steps) - (dims + 1) * step) for step in steps for sign in (1, -1)]
    neighbours = ops.reshape(find(points, points + np.array(deltas)[:, None]), (dims + 1, 2, -1))
    return Lattice(ops.reshape(corners, (dims + 1, -1)), weights[..., None], neighbours, number)


def enclosing(scaled: Any) -> tuple[list, Any, list]:
    """Find the simplex around each row.

    Args:
        scaled: `(R, d) float32`.

    Returns:
        The d + 1 coordinates of the first corner, each `(R,)` int64; the weights of the corners, `(d + 1, R)`; the rank
        of each coordinate by its remainder, where the largest remainder has rank 0, each `(R,)` int32.
    """
    dims = scaled.shape[-1]
    columns = [scaled[:, i] for i in range(dims)]
    # Elevate the rows onto the plane where the coordinates sum to 0.
    total, elevated = 0.0, []
    for j in range(dims, 0, -1):
        elevated.insert(0, total - j * columns[j - 1])
        total = total + columns[j - 1]
    elevated.insert(0, total)
    # The nearest point whose coordinates are multiples of d + 1 (not always on the plane), and the remainders.
    near = [ops.round(row * (1 / (dims + 1))) for row in elevated]
    left = [row - (dims + 1) * whole for row, whole in zip(elevated, near)]
    too_high = ops.cast(sum(near), "int32")
    ranks, base, rest = [], [], []
    for i in range(dims + 1):
        before = [ops.logical_not(left[j] < left[i]) for j in range(i)]
        after = [left[j] > left[i] for j in range(i + 1, dims + 1)]
        rank = sum(ops.cast(each, "int32") for each in before + after) + too_high
        # Move the point back onto the plane.
        back = ops.cast(rank < 0, "int32") - ops.cast(rank > dims, "int32")
        ranks.append(rank + (dims + 1) * back)
        base.append((dims + 1) * (ops.cast(near[i], "int64") + ops.cast(back, "int64")))
        rest.append(left[i] * (1 / (dims + 1)) - ops.cast(back, "float32"))
    by_rank = [
        sum(ops.where(rank == index, part, 0.0) for rank, part in zip(ranks, rest))
        for index in range(dims + 1)
    ]
    first = 1 + by_rank[dims] - by_rank[0]
    others = [by_rank[dims - k] - by_rank[dims - k + 1] for k in range(1, dims + 1)]
    return base, ops.stack([first, *others]), ranks


NO_KEY = np.int64(2**63 - 1)


def distinct(keys: Any, room: Any | None) -> tuple[Any, Any, Any]:
    """Find the distinct keys.

    Args:
        keys: `(N,)` int64.
        room: M, or None for as many as there are distinct keys.

    Returns:
        The distinct keys in rising order, `(M + 1,)` with `NO_KEY` at the end; the index of each key among them, `(N,)`
        int32, M where there is no room; and the number of distinct keys.
    """
    order = ops.argsort(keys)
    rising = ops.take(keys, order)
    first = ops.concatenate([rising[:1] == rising[:1], rising[1:] != rising[:-1]])
    index = ops.cumsum(ops.cast(first, "int32")) - 1
    number = index[-1] + 1
    points = number if room is None else room
    index = ops.minimum(index, points)
    # All keys of one index are equal, except at the last index, which holds no point.
    found = ops.scatter_update(ops.full((points + 1,), NO_KEY, "int64"), index[:, None], rising)
    found = ops.where(ops.arange(points + 1) < ops.minimum(number, points), found, NO_KEY)
    back = ops.scatter(order[:, None], index, ops.shape(keys))
    return found, back, number


def find(rising: Any, wanted: Any) -> Any:
    """Find wanted keys among `(M + 1,)` rising ones by bisection.

    Returns:
        Indices into `rising`, int32 of the shape of `wanted`; M for a key that is missing.
    """
    last = ops.shape(rising)[0] - 1
    index = ops.zeros_like(wanted, "int32")
    bits = math.ceil(math.log2(rising.shape[0])) if rising.shape[0] else 31
    for bit in range(bits - 1, -1, -1):
        tried = index + 2**bit
        before = ops.take(rising, ops.minimum(tried - 1, last)) < wanted
        index = ops.where(ops.logical_and(before, tried <= last), tried, index)
    return ops.where(ops.take(rising, index) == wanted, index, last)


def filtered(values: Any, over: Lattice) -> Any:
    """Apply the Gaussian filter, not normalised, to values `(R, C) float32`; return the same shape.

    References:
        Adams et al. 2010, section 3.2: splat, blur with (1/2, 1, 1/2) along each axis, slice. The final factor is
        that of pydensecrf.
    """
    corners = over.corners.shape[0]
    rows = ops.shape(over.neighbours)[-1]
    points = sum(ops.segment_sum(over.weights[k] * values, over.corners[k], rows) for k in range(corners))
    exists = ops.cast(ops.arange(rows) < rows - 1, "float32")[:, None]
    points = points * exists
    for axis in range(corners):
        one, other = (ops.take(points, over.neighbours[axis, way], axis=0) for way in (0, 1))
        points = (points + 0.5 * (one + other)) * exists
    total = sum(over.weights[k] * ops.take(points, over.corners[k], axis=0) for k in range(corners))
    return total * (1 / (1 + 2.0 ** (1 - corners)))
