"""The grid of a tensor, measured by the gradients of some cells down to a tensor whose grid is known."""

from dataclasses import replace
from itertools import pairwise
from typing import Any

import numpy as np
import tensorflow as tf

from wsseg.backbones.grid_fit import fitted
from wsseg.grid import Grid
from wsseg.layers.grid_rules import Unknown

PROBES = 12
"""Cells along an axis whose gradients are taken: two at each border, the others spread between them."""

PAIRS = ((1, 2), (2, 3), (2, 1), (3, 2))
"""Axes of a tensor that may run along height and width, the likely ones first."""

ROUNDING = 1e-6
"""Share of a cell's largest gradient below which a gradient is taken for 0: fast convolutions round so."""


def measured(tape: tf.GradientTape, source: Any, target: Any, axes: tuple[int, int]) -> Grid | Unknown | None:
    """Measure where the cells of one tensor look, in cells of another one that it was computed from.

    The gradient of a cell, with random weights of its channels, is not 0 at the positions that the cell depends on.
    The images of the batch are random and differ, so that a position is missed only if none of them lets it through (as
    a ReLU or a maximum may). `wsseg.backbones.grid_fit` fits stride and centre.

    Args:
        tape: Persistent tape that watched `source` while `target` was computed.
        source: `(B, ...)` eager tensor of rank 4, of a floating dtype.
        target: `(B, ...)` eager tensor of rank 4.
        axes: Axes of `source` that run along the image's height and width.

    Returns:
        The grid in cells of `source`, with the axes of `target` that run along height and width; the reason why there
        is none; or None if `target` doesn't depend on `source`.
    """
    first: Unknown = Unknown.MIXED
    for pair in (axes, *(pair for pair in PAIRS if pair != axes)):
        cells, count = probes(tuple(target.shape[axis] for axis in pair))
        if pair != axes and not _plausible(count, tuple(source.shape[axis] for axis in axes)):
            continue
        seen = _seen(tape, source, target, axes, pair, cells)
        if seen is None:
            return None
        found = fitted(cells, seen, count)
        if isinstance(found, Grid):
            return replace(found, axes=pair)
        if pair == axes:
            first = found
    return first


def _plausible(count: tuple[int, int], size: tuple[int, int]) -> bool:
    """Return whether axes of these lengths may be height and width: not a channel axis, nor one cell for all."""
    return 1 not in count and 0.25 < (count[0] / count[1]) / (size[0] / size[1]) < 4


def probes(count: tuple[int, int]) -> tuple[np.ndarray, tuple[int, int]]:
    """Choose cells of a map: all of a small one, else pairs of rows and columns in random order.

    Args:
        count: Number of rows and columns.

    Returns:
        `(K, 2)` int indices, and `count`.
    """
    if count[0] * count[1] <= 2 * PROBES:
        return np.stack(np.meshgrid(*map(np.arange, count), indexing="ij"), -1).reshape(-1, 2), count
    rng = np.random.default_rng(0)
    lists = [_spread(n, rng) for n in count]
    longest = max(map(len, lists))
    pairs = [rng.permutation(np.resize(x, longest)) for x in lists]
    return np.stack(pairs, axis=1), count


def _spread(count: int, rng: np.random.Generator) -> np.ndarray:
    """Return indices along an axis: both borders and random ones between them, one of each part of equal length."""
    if count <= PROBES:
        return np.arange(count)
    edges = np.linspace(2, count - 2, PROBES - 3)
    between = [rng.integers(int(a), max(int(b), int(a) + 1)) for a, b in pairwise(edges)]
    return np.unique([0, 1, *between, count - 2, count - 1])


def _seen(
    tape: tf.GradientTape,
    source: Any,
    target: Any,
    axes: tuple[int, int],
    pair: tuple[int, int],
    cells: np.ndarray,
) -> np.ndarray | None:
    """Return `(K, B, H, W)`: how much cells of `target` depend on positions of `source`; None if not at all."""
    rng = np.random.default_rng(1)
    (other,) = {1, 2, 3} - set(pair)
    weights = rng.uniform(0.5, 1.5, (target.shape[0], target.shape[other]))
    weights *= rng.choice([-1.0, 1.0], weights.shape)
    (channel,) = {1, 2, 3} - set(axes)
    result = np.zeros((len(cells), source.shape[0], *(source.shape[axis] for axis in axes)))
    for number, (row, column) in enumerate(cells):
        cotangent = np.zeros(target.shape, np.float32)
        view = np.moveaxis(cotangent, (pair[0], pair[1]), (1, 2))
        view[:, row, column] = weights
        gradient = tape.gradient(target, source, output_gradients=tf.constant(cotangent, target.dtype))
        if gradient is None:
            return None
        size = tf.reduce_sum(
            tf.abs(tf.cast(tf.convert_to_tensor(gradient), tf.float32)), axis=channel
        ).numpy()
        size = size.transpose(0, 2, 1) if axes[0] > axes[1] else size
        peak = size.max(axis=(1, 2), keepdims=True)
        usable = np.isfinite(peak) & (peak > 0)
        with np.errstate(invalid="ignore", divide="ignore"):
            result[number] = np.where(usable & (size > ROUNDING * peak), size / peak, 0)
    return result
