"""Which part of the image a token sees, found out by gradients: no order of the tokens is assumed.

Two measurements. If each pixel is seen by one token only (patches side by side), a few gradients tell for all pixels at
once which one: each token has its number in binary, and one gradient is taken of the tokens with a 1 in a certain
place, one of the tokens with a 0 there. If patches overlap, gradients of single tokens are taken instead, and an order
by rows or by columns must fit the places of all of them.
"""

from collections.abc import Callable

import numpy as np

from wsseg.explainers.token_layout import Layout
from wsseg.grid import Grid

FAINT = 1e-6
"""Share of the largest gradient (or its square, of single tokens) up to which nothing is seen."""

CLEAR = 0.05
"""Share of a large gradient (the 95th percentile) from which a pixel must be seen by one token only. Layers that
standardise an image let each token see all pixels, but faintly."""

PURE = 0.9
"""Share of a pixel's gradient that must come from one side of a binary place."""

SINGLES = 64
"""Number of tokens up to which all are measured one by one; of more, a sample."""

Energy = Callable[[np.ndarray], np.ndarray]
"""From weights of tokens `(n, N)` to the size of the gradient of each weighted sum at each pixel, `(n, H, W)`."""


def measured_layout(energy: Energy, count: int) -> Layout | None:
    """Find the grid of tokens.

    Args:
        energy: Function that takes gradients.
        count: N, the number of tokens.

    Returns:
        The layout, or None if the tokens don't see the image as a grid of cells (each token everywhere, tokens missing,
        a random order).
    """
    masks = binary_masks(count)
    seen = energy(masks)
    if not np.isfinite(seen).all() or not seen.any():
        return None
    side_by_side = _from_codes(seen, count)
    return side_by_side if side_by_side is not None else _from_singles(energy, count)


def binary_masks(count: int) -> np.ndarray:
    """Return the weights `(2 * places, N)` of tokens with a 1, then with a 0, in each binary place of their number."""
    places = max(1, (count - 1).bit_length())
    ones = (np.arange(count) >> np.arange(places)[:, None]) & 1
    return np.stack([ones, 1 - ones], axis=1).reshape(2 * places, count).astype(np.float32)


def _from_codes(seen: np.ndarray, count: int) -> Layout | None:
    ones, zeros = seen[0::2], seen[1::2]
    total = ones + zeros
    pure = (np.maximum(ones, zeros) / np.where(total > 0, total, 1)).min(axis=0) >= PURE
    if pure[total[0] > CLEAR * np.percentile(total[0], 95)].mean() < 0.99:
        return None
    live = pure & (total[0] > FAINT * total[0].max())
    token = ((ones > zeros) << np.arange(len(ones))[:, None, None]).sum(axis=0)
    token[~live] = -1
    if token.max() >= count:
        return None
    boxes = {}
    for number in np.unique(token[live]):
        rows, columns = np.nonzero(token == number)
        top, left, bottom, right = rows.min(), columns.min(), rows.max(), columns.max()
        if len(rows) < 0.5 * (bottom - top + 1) * (right - left + 1):
            return None  # pixels from all over the image
        boxes[int(number)] = (top, bottom, left, right)
    return _from_boxes(boxes, count)


def _from_boxes(boxes: dict[int, tuple], count: int) -> Layout | None:
    """Lay tokens out by the boxes of pixels that they see, `(first row, last row, first column, last column)`."""
    numbers = np.array(list(boxes))
    sides = np.array(list(boxes.values()), float)
    steps = []
    for axis in (0, 1):
        first, last = sides[:, 2 * axis], sides[:, 2 * axis + 1]
        centres = (first + last) / 2
        steps.append(_ranks(centres, 0.3 * np.median(last - first + 1)))
    order = _as_grid(numbers, *steps)
    if order is None:
        return None
    centres = [
        [(sides[rank == i, 2 * axis].min() + sides[rank == i, 2 * axis + 1].max()) / 2 for i in range(n)]
        for axis, (rank, n) in enumerate(zip(steps, order.shape))
    ]
    extents = [np.median(sides[:, 2 * axis + 1] - sides[:, 2 * axis] + 1) for axis in (0, 1)]
    lines = [regular(np.array(one), extent) for one, extent in zip(centres, extents)]
    if None in lines:
        return Layout(order, count, None)
    (down, top), (right, left) = lines
    return Layout(order, count, Grid((down, right), (top, left)))


def _ranks(centres: np.ndarray, gap: float) -> np.ndarray:
    """Return the number of each centre's group, along the axis; groups lie more than `gap` apart."""
    by_size = np.argsort(centres, kind="stable")
    groups = np.cumsum(np.diff(centres[by_size], prepend=centres[by_size[0]]) > gap)
    result = np.empty(len(centres), int)
    result[by_size] = groups
    return result


def _as_grid(numbers: np.ndarray, rows: np.ndarray, columns: np.ndarray) -> np.ndarray | None:
    height, width = rows.max() + 1, columns.max() + 1
    if height * width != len(numbers):
        return None
    order = np.full((height, width), -1, np.int32)
    order[rows, columns] = numbers
    return None if (order < 0).any() else order


def regular(centres: np.ndarray, extent: float) -> tuple[float, float] | None:
    """Return the step and the first of evenly spaced centres, to half a pixel; None if they aren't.

    The first and the last are left out where there are enough, since the image's border cuts their patches.

    Example:
        >>> regular(np.array([3.0, 11.5, 19.5, 27.5, 34.0]), 8)
        (8.0, 3.5)
    """
    if len(centres) == 1:
        return float(extent), float(centres[0])
    inner = slice(1, -1) if len(centres) >= 4 else slice(None)
    index = np.arange(len(centres))[inner]
    step, first = np.polyfit(index, centres[inner], 1)
    if np.abs(centres[inner] - (first + step * index)).max() > 0.5:
        return None
    return round(float(step), 6), round(float(first), 6)


def _from_singles(energy: Energy, count: int) -> Layout | None:
    chosen = np.arange(count)
    if count > SINGLES:
        inside = np.random.default_rng(0).choice(np.arange(8, count - 4), SINGLES - 12, replace=False)
        chosen = np.concatenate([np.arange(8), np.sort(inside), np.arange(count - 4, count)])
    seen = energy(np.eye(count, dtype=np.float32)[chosen]).astype(np.float64) ** 2
    peaks = seen.max(axis=(1, 2))
    placed = peaks > FAINT * peaks.max()
    if not placed.any() or not np.isfinite(seen).all():
        return None
    start, stop = chosen[placed].min(), chosen[placed].max() + 1
    if not placed[(chosen >= start) & (chosen < stop)].all():
        return None
    seen, numbers = seen[placed], chosen[placed] - start
    total = seen.sum(axis=(1, 2))
    size_hw = seen.shape[1:]
    places = [
        seen.sum(axis=2 - axis) @ np.arange(size_hw[axis]) / total for axis in (0, 1)
    ]  # centre of gravity, rows and columns
    fitting = [
        (grid_hw, by_rows)
        for grid_hw in _factors(stop - start)
        for by_rows in ((True, False) if min(grid_hw) > 1 else (True,))
        if _fits(places, _cells(numbers, grid_hw, by_rows), grid_hw, size_hw)
    ]
    if len(fitting) != 1:
        return None
    ((grid_hw, by_rows),) = fitting
    order = np.arange(start, stop, dtype=np.int32).reshape(grid_hw if by_rows else grid_hw[::-1])
    order = order if by_rows else order.T
    return Layout(order, count, _inner_grid(seen, _cells(numbers, grid_hw, by_rows), grid_hw))


def _factors(count: int) -> list[tuple[int, int]]:
    return [(n, count // n) for n in range(1, count + 1) if count % n == 0]


def _cells(numbers: np.ndarray, grid_hw: tuple[int, int], by_rows: bool) -> tuple[np.ndarray, np.ndarray]:
    first, second = divmod(numbers, grid_hw[1] if by_rows else grid_hw[0])
    return (first, second) if by_rows else (second, first)


def _fits(places: list[np.ndarray], cells: tuple, grid_hw: tuple[int, int], size_hw: tuple[int, int]) -> bool:
    """Return whether the tokens' places lie on a grid that covers the image, in this order."""
    for place, cell, count, size in zip(places, cells, grid_hw, size_hw):
        step = size / count
        if len(np.unique(cell)) > 1:
            step, first = np.polyfit(cell, place, 1)
            expected = first + step * cell
        else:
            expected = np.full(len(place), (size - 1) / 2)
        if not 0.6 <= step * count / size <= 1.3 or np.abs(place - expected).max() > 0.45 * step:
            return False
    return True


def _inner_grid(seen: np.ndarray, cells: tuple, grid_hw: tuple[int, int]) -> Grid | None:
    """Return the grid from the boxes that the image's border doesn't cut; None if they are too few or irregular."""
    strides, centres = [], []
    for axis, cell in enumerate(cells):
        profile = seen.sum(axis=2 - axis)
        live = profile > FAINT * profile.max(axis=1, keepdims=True)
        first, last = live.argmax(axis=1), live.shape[1] - 1 - live[:, ::-1].argmax(axis=1)
        whole = (first > 0) & (last < live.shape[1] - 1)
        if len(np.unique(cell[whole])) < 2:
            return None
        middle = (first + last)[whole] / 2
        step, start = np.polyfit(cell[whole], middle, 1)
        if np.abs(middle - (start + step * cell[whole])).max() > 0.5:
            return None
        strides.append(round(float(step), 6))
        centres.append(round(float(start), 6))
    return Grid((strides[0], strides[1]), (centres[0], centres[1]))
