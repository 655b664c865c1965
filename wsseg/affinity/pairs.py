"""Pairs of neighbouring cells as graph operations: their labels, and their affinities from a network's boundaries.

A pair is a cell and its neighbour in one of `wsseg.refiners.affinity.directions`. Only cells whose neighbours are all
inside the map start pairs. Arrays over pairs are `(B, D, N)`, for D directions and N such cells.
"""

import functools
from typing import Any

import numpy as np
from keras import ops

from wsseg.artifacts import IGNORE
from wsseg.errors import InputError
from wsseg.refiners.affinity import directions, path


@functools.lru_cache(maxsize=16)
def _starts(size_hw: tuple[int, int], radius: int) -> np.ndarray:
    """Return the cells (row, column) whose neighbours are all inside, `(N, 2)`."""
    height, width = size_hw
    if height < radius or width < 2 * radius - 1:
        raise InputError(
            f"`radius` {radius} needs at least {radius} x {2 * radius - 1} cells; the crop has {height} x {width}; "
            "use a larger crop or a smaller radius"
        )
    rows, columns = np.mgrid[: height - radius + 1, radius - 1 : width - radius + 1]
    return np.stack([rows.ravel(), columns.ravel()], axis=1)


@functools.lru_cache(maxsize=16)
def _ends(size_hw: tuple[int, int], radius: int) -> tuple[np.ndarray, np.ndarray]:
    """Return the flat indices of the pairs' first cells, `(N,)`, and of their neighbours, `(D, N)`."""
    starts = _starts(size_hw, radius)
    flat = starts @ [size_hw[1], 1]
    steps = np.array(directions(radius)) @ [size_hw[1], 1]
    return flat.astype(np.int32), (flat + steps[:, None]).astype(np.int32)


@functools.lru_cache(maxsize=16)
def _paths(size_hw: tuple[int, int], radius: int) -> tuple[list[np.ndarray], np.ndarray]:
    """Return the cells between the pairs.

    Returns:
        Tables of flat indices `(d, N, L)`, one per path length L; and the indices that bring the directions of the
        concatenated tables back into order.
    """
    by_length: dict[int, list[int]] = {}
    for index, direction in enumerate(directions(radius)):
        by_length.setdefault(len(path(direction)), []).append(index)
    flat, _ = _ends(size_hw, radius)
    tables = []
    for indices in by_length.values():
        cells = np.array([path(directions(radius)[index]) for index in indices]) @ [size_hw[1], 1]  # (d, L)
        tables.append((flat[None, :, None] + cells[:, None, :]).astype(np.int32))
    return tables, np.argsort(np.concatenate(list(by_length.values())))


def pairs_of(cells: Any, radius: int) -> tuple[Any, Any]:
    """Return the values of the pairs' cells.

    Args:
        cells: `(B, h, w, ...)`, where h and w are known.
        radius: Radius of the neighbourhood, cells.

    Returns:
        `(B, 1, N, ...)` values of the cells that start pairs, and `(B, D, N, ...)` values of their neighbours.
    """
    size_hw = tuple(cells.shape[1:3])
    flat = ops.reshape(cells, (-1, size_hw[0] * size_hw[1], *cells.shape[3:]))
    start, end = _ends(size_hw, radius)
    return ops.take(flat, start, axis=1)[:, None], ops.take(flat, end, axis=1)


def pair_labels(labels: Any, radius: int) -> tuple[Any, Any, Any]:
    """Mark the pairs of background, of the same foreground class, and of different classes.

    Args:
        labels: `(B, h, w)` int: 0 = background, 255 = unknown. Pairs with an unknown cell belong to none of the three.
        radius: Radius of the neighbourhood, cells.

    Returns:
        Three arrays `(B, D, N)` float32, 0 or 1: both cells are background; both have the same foreground class; the
        cells have different classes.
    """
    start, end = pairs_of(labels, radius)
    known = ops.logical_and(start != IGNORE, end != IGNORE)
    same = ops.logical_and(known, start == end)
    background = ops.logical_and(same, start == 0)
    kinds = (background, ops.logical_and(same, start != 0), ops.logical_and(known, start != end))
    return tuple(ops.cast(kind, "float32") for kind in kinds)


def boundary_affinity(boundary: Any, radius: int) -> Any:
    """Return 1 minus the strongest boundary between the cells of each pair.

    Args:
        boundary: `(B, h, w)` float32 in [0, 1].
        radius: Radius of the neighbourhood, cells.

    Returns:
        `(B, D, N)` float32: the values of `wsseg.refiners.affinity.edge_affinity` for cells whose neighbours are all
        inside.
    """
    size_hw = tuple(boundary.shape[1:3])
    flat = ops.reshape(boundary, (-1, size_hw[0] * size_hw[1]))
    tables, order = _paths(size_hw, radius)
    strongest = [ops.max(ops.take(flat, table, axis=1), axis=-1) for table in tables]
    return 1 - ops.take(ops.concatenate(strongest, axis=1), order.astype(np.int32), axis=1)


def mean_over(values: Any, pairs: Any) -> Any:
    """Return the mean of values over the pairs marked 1; 0 if there are none."""
    return ops.sum(values * pairs) / (ops.sum(pairs) + 1e-5)


def cell_labels(masks: Any, size_hw: tuple[int, int], stride_hw: Any, centre_hw: Any) -> Any:
    """Return the labels of the pixels at which the cells look.

    Args:
        masks: `(B, H, W)` int.
        size_hw: Numbers of cells `(h, w)`.
        stride_hw: Pixels between two cells.
        centre_hw: Pixel at which cell 0 looks.

    Returns:
        `(B, h, w)` int.
    """
    for axis, (cells, stride, centre) in enumerate(zip(size_hw, stride_hw, centre_hw), start=1):
        pixels = np.clip(np.floor(np.arange(cells) * stride + centre + 0.5), 0, masks.shape[axis] - 1)
        masks = ops.take(masks, pixels.astype(np.int32), axis=axis)
    return masks
