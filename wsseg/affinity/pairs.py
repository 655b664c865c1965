"""Pairs of neighbouring cells in the graph: which labels they have, and what a network says of them.

All pairs of a cell with its neighbours in each of `wsseg.refiners.affinity.directions`, for the cells all of whose
neighbours are inside: `(B, D, N)` for D directions and N such cells.
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
    """Return `(N, 2)` the cells (row, column) all of whose neighbours are inside."""
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
    """Return the flat indices of the pairs' cells: `(N,)` and `(D, N)`."""
    starts = _starts(size_hw, radius)
    flat = starts @ [size_hw[1], 1]
    steps = np.array(directions(radius)) @ [size_hw[1], 1]
    return flat.astype(np.int32), (flat + steps[:, None]).astype(np.int32)


@functools.lru_cache(maxsize=16)
def _paths(size_hw: tuple[int, int], radius: int) -> tuple[list[np.ndarray], np.ndarray]:
    """Return the cells between the pairs, a table `(d, N, L)` for each length L, and how to order the directions."""
    by_length: dict[int, list[int]] = {}
    for place, direction in enumerate(directions(radius)):
        by_length.setdefault(len(path(direction)), []).append(place)
    flat, _ = _ends(size_hw, radius)
    tables = []
    for places in by_length.values():
        cells = np.array([path(directions(radius)[place]) for place in places]) @ [size_hw[1], 1]  # (d, L)
        tables.append((flat[None, :, None] + cells[:, None, :]).astype(np.int32))
    return tables, np.argsort(np.concatenate(list(by_length.values())))


def pairs_of(cells: Any, radius: int) -> tuple[Any, Any]:
    """Return the values of the pairs' cells.

    Args:
        cells: `(B, h, w, ...)`, h and w known.
        radius: Cells.

    Returns:
        `(B, 1, N, ...)` of the cells that pairs start from, `(B, D, N, ...)` of their neighbours.
    """
    size_hw = tuple(cells.shape[1:3])
    flat = ops.reshape(cells, (-1, size_hw[0] * size_hw[1], *cells.shape[3:]))
    start, end = _ends(size_hw, radius)
    return ops.take(flat, start, axis=1)[:, None], ops.take(flat, end, axis=1)


def pair_labels(labels: Any, radius: int) -> tuple[Any, Any, Any]:
    """Tell which pairs are of background, of one object's class, and of different classes.

    Args:
        labels: `(B, h, w)` int: 0 = background, 255 = unknown; pairs with an unknown cell are none of the three.
        radius: Cells.

    Returns:
        Three of `(B, D, N)` float32, 0 or 1: both background; both the same class but background; different.
    """
    start, end = pairs_of(labels, radius)
    known = ops.logical_and(start != IGNORE, end != IGNORE)
    same = ops.logical_and(known, start == end)
    background = ops.logical_and(same, start == 0)
    kinds = (background, ops.logical_and(same, start != 0), ops.logical_and(known, start != end))
    return tuple(ops.cast(kind, "float32") for kind in kinds)


def boundary_affinity(boundary: Any, radius: int) -> Any:
    """Return one less the strongest boundary between the cells of each pair.

    Args:
        boundary: `(B, h, w)` float32 in [0, 1].
        radius: Cells.

    Returns:
        `(B, D, N)` float32; as `wsseg.refiners.affinity.edge_affinity`, where all of a cell's neighbours are inside.
    """
    size_hw = tuple(boundary.shape[1:3])
    flat = ops.reshape(boundary, (-1, size_hw[0] * size_hw[1]))
    tables, order = _paths(size_hw, radius)
    strongest = [ops.max(ops.take(flat, table, axis=1), axis=-1) for table in tables]
    return 1 - ops.take(ops.concatenate(strongest, axis=1), order.astype(np.int32), axis=1)


def mean_over(values: Any, pairs: Any) -> Any:
    """Return the mean of values over the pairs marked 1; 0 where there is none."""
    return ops.sum(values * pairs) / (ops.sum(pairs) + 1e-5)


def cell_labels(masks: Any, size_hw: tuple[int, int], stride_hw: Any, centre_hw: Any) -> Any:
    """Return the labels of the pixels that cells look at.

    Args:
        masks: `(B, H, W)` int.
        size_hw: Cells.
        stride_hw: Pixels from cell to cell.
        centre_hw: The pixel that cell 0 looks at.

    Returns:
        `(B, h, w)`.
    """
    for axis, (cells, stride, centre) in enumerate(zip(size_hw, stride_hw, centre_hw), start=1):
        pixels = np.clip(np.floor(np.arange(cells) * stride + centre + 0.5), 0, masks.shape[axis] - 1)
        masks = ops.take(masks, pixels.astype(np.int32), axis=axis)
    return masks
