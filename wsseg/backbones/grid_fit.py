"""The grid that fits what some cells of a map were seen to depend on."""

from dataclasses import dataclass

import numpy as np

from wsseg.grid import EVERYTHING, Grid
from wsseg.layers.grid_rules import Unknown

CORE = 0.02
"""Share of a cell's largest gradient from which on a pixel counts for the cell's centre. It leaves out what comes from
the whole image, such as the statistics of a normalisation."""

STRONG_CORE = 0.25
"""The same, tried second, where most images agree: it leaves out attention beside a shortcut."""


@dataclass(frozen=True)
class Line:
    """Where cells look along one axis: cell `p` at `stride * p + centre`, through a window around that position.

    Attributes:
        stride: Pixels from cell to cell; negative if the axis is flipped.
        centre: Pixel index that cell 0 looks at.
        reach: Half-width of the window in pixels.
        tolerance: Largest distance between this line and where a cell was seen to look, in pixels.
    """

    stride: float
    centre: float
    reach: float
    tolerance: float


def fitted(cells: np.ndarray, seen: np.ndarray, count_hw: tuple[int, int]) -> Grid | Unknown:
    """Fit a grid to what cells depend on.

    Along each axis the first and last pixel that a cell depends on are read. If they move by the same number of pixels
    from cell to cell, the cells look at the middle between them; a window may be cut off at the image's border. If not
    (interpolation, where the number of pixels differs from cell to cell), a line is fitted to the centroids. Cells at
    the border may look elsewhere if they lie outside the image and repeat what other cells see, as with reflecting
    padding. Everything else is refused: other orders of cells, tiles, rolled maps.

    Args:
        cells: `(K, 2)` int indices of the cells, (row, column).
        seen: `(K, B, H, W)` float, not negative: how much each cell depends on each pixel, in each of B images.
        count_hw: Number of cells along each axis of the map.

    Returns:
        The grid, in pixels of `seen`; or the reason why there is none.

    Example:
        >>> pairs = np.array([[row, column] for row in range(3) for column in range(3)])
        >>> blocks = np.stack([np.kron(np.eye(9)[i].reshape(1, 3, 3), np.ones((2, 2))) for i in range(9)])
        >>> fitted(pairs, blocks, (3, 3))
        Grid(stride_hw=(2.0, 2.0), centre_hw=(0.5, 0.5))
        >>> fitted(pairs, np.ones((9, 1, 6, 6)), (3, 3)).value
        'each value comes from the whole image'
    """
    # What most images agree on: attention alone looks elsewhere in each.
    steady, seen = np.quantile(seen, 0.25, axis=1), seen.sum(axis=1)
    found = _fitted(cells, seen, _core(seen, CORE), count_hw)
    if isinstance(found, Grid) or not steady.any():
        return found
    again = _fitted(cells, seen, _core(steady, STRONG_CORE), count_hw)
    return again if isinstance(again, Grid) else found


def _core(seen: np.ndarray, share: float) -> np.ndarray:
    """Return `seen` without the values below a share of each cell's largest."""
    return np.where(seen >= share * seen.max(axis=(1, 2), keepdims=True), seen, 0)


def _fitted(
    cells: np.ndarray, seen: np.ndarray, core: np.ndarray, count_hw: tuple[int, int]
) -> Grid | Unknown:
    """Fit as `fitted` does; `core` is `seen` without what is small."""
    alive = core.max(axis=(1, 2)) > 0
    if not alive.any():
        return Unknown.MIXED
    lines = []
    for axis in (0, 1):
        whole, middle = seen[alive].sum(axis=2 - axis), core[alive].sum(axis=2 - axis)
        index = cells[alive, axis]
        line = _line_of_windows(index, whole, count_hw[axis])
        if line is None or not _explained(line, index, whole, count_hw[axis], 0.0):
            line = _line_of_centroids(index, middle, count_hw[axis])
            if isinstance(line, Unknown):
                return line
            if not _explained(line, index, middle, count_hw[axis], line.reach / 2):
                return Unknown.MIXED
        lines.append(line)
    # A cell that sees nothing is right only outside the image, in its padding.
    for row_column in cells[~alive]:
        positions = [line.stride * p + line.centre for line, p in zip(lines, row_column)]
        if all(-0.5 < p < side - 0.5 for p, side in zip(positions, seen.shape[1:])):
            return Unknown.MIXED
    ranges = tuple(_range(line, count, side) for line, count, side in zip(lines, count_hw, seen.shape[1:]))
    strides, centres = tuple(line.stride for line in lines), tuple(line.centre for line in lines)
    return Grid(strides, centres, seen_hw=None if ranges == (EVERYTHING, EVERYTHING) else ranges)


def _range(line: Line, count: int, size: int) -> tuple[float, float]:
    """Return the first and last pixel that cells see, a cell more to each side; infinite where nothing is cut off."""
    ends = sorted((line.centre, line.stride * (count - 1) + line.centre))
    beyond = max(line.reach, abs(line.stride))
    low, high = ends[0] - beyond, ends[1] + beyond
    return (low if low > 0 else EVERYTHING[0], high if high < size - 1 else EVERYTHING[1])


def _line_of_windows(index: np.ndarray, profiles: np.ndarray, count: int) -> Line | None:
    """Fit the first and last pixels that cells depend on, `profiles` `(K, n)`; None where they fit no line."""
    size = profiles.shape[1]
    low, high = _ends(profiles)
    if count == 1:
        return Line(float(size), float(low[0] + high[0]) / 2, size / 2, 0.0)
    # An end at the image's border may be cut off: it tells nothing.
    first, last = (
        _slope(index, ends, used, 1e-3) for ends, used in ((low, low > 0), (high, high < size - 1))
    )
    if first is None or last is None or abs(first[0] - last[0]) > 1e-4 or first[0] == 0:
        return None
    stride, from_, to = (first[0] + last[0]) / 2, first[1], last[1]
    if to < from_:
        return None
    return Line(stride, (from_ + to) / 2, (to - from_) / 2, 1e-3)


def _line_of_centroids(index: np.ndarray, profiles: np.ndarray, count: int) -> Line | Unknown:
    """Fit a line to the centroids of what cells depend on, `profiles` `(K, n)`."""
    size = profiles.shape[1]
    low, high = _ends(profiles)
    width = high - low + 1
    if np.median(width) > 0.5 * size and size > 3:
        return Unknown.WHOLE
    centroids = profiles @ np.arange(size) / profiles.sum(axis=1)
    # A window at the image's border may be cut off, and its centroid with it.
    inside = (low > 0) & (high < size - 1)
    if len(set(index[inside])) < 3:
        inside[:] = True
    reach = float(np.median(width) - 1) / 2
    found = _slope(index, centroids, inside, max(0.6, 0.2 * size / count))
    if found is None:
        return Unknown.MIXED
    best = None
    # A simple stride fits as well as the fitted one, whose last digits come from the choice of cells.
    for stride in [*_simple(found[0], size / count, np.ptp(index[inside])), found[0]]:
        left = (centroids - stride * index)[inside]
        shift = found[1] + (found[0] - stride) * np.mean(index[inside])
        kept = left[np.abs(left - shift) <= max(1.0, 0.6 * abs(stride))]
        if not len(kept):
            continue
        centre = (kept.max() + kept.min()) / 2
        error = np.abs(kept - centre).max()
        if best is None or error < best[1] - 0.3:
            best = Line(float(stride), float(centre), reach, 0.0), error
    line, error = best
    tolerance = max(0.55, 0.3 * abs(line.stride))
    moved = abs(line.stride) * (index.max() - index.min())
    if error > tolerance or moved < 3 * error or abs(line.stride) < 0.05 * size / count:
        return Unknown.MIXED
    return Line(line.stride, line.centre, reach, tolerance)


def _simple(stride: float, ratio: float, span: int) -> list[float]:
    """Return strides near the fitted one that are likely: the ratio of the sizes, a whole number, one over one."""
    size = abs(stride)
    whole = round(size) if size >= 1 else 1 / round(1 / size) if size > 0 else 0
    near = [x for x in (ratio, whole) if x and abs(x - size) * span < max(1.5, 0.5 * size)]
    return [float(np.copysign(x, stride)) for x in near]


def _explained(line: Line, index: np.ndarray, profiles: np.ndarray, count: int, slack: float) -> bool:
    """Return whether the line says where each of the cells looks, or they only repeat what other cells see."""
    size = profiles.shape[1]
    low, high = _ends(profiles)
    every = line.stride * np.arange(count) + line.centre
    inner = every[(every > -0.5) & (every < size - 0.5)]
    if not len(inner):
        return False
    few_outside = len(every) - len(inner) <= len(inner) / 2
    covered = max(inner.min() - line.reach, 0), min(inner.max() + line.reach, size - 1)
    centroids = profiles @ np.arange(size) / profiles.sum(axis=1)
    exact = line.tolerance < 0.1
    looks = line.stride * index + line.centre
    whole = np.any((looks - line.reach >= 0) & (looks + line.reach <= size - 1))
    for p, first, last, centroid in zip(index, low, high, centroids):
        at = line.stride * p + line.centre
        if exact:
            ends = np.clip([at - line.reach, at + line.reach], 0, size - 1)
            cut = np.abs(ends - (at - line.reach, at + line.reach)).max() > 0
            # A dilated window that is cut off at the border may end before it, since it has gaps.
            gap = 2 * line.reach if cut and whole else 0
            short = (first - ends[0], ends[1] - last)
            fits = min(short) >= -line.tolerance and max(short) <= gap + line.tolerance
            fits &= at + line.reach >= 0 and at - line.reach <= size - 1
        else:
            border = slack if first == 0 or last == size - 1 else 0
            fits = abs(np.clip(at, 0, size - 1) - centroid) <= line.tolerance + border
        outside = few_outside and (at < 0 or at > size - 1)
        if not fits and not (outside and first >= covered[0] - 0.6 and last <= covered[1] + 0.6):
            return False
    return True


def _ends(profiles: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the first and the last pixel of each profile `(K, n)` that isn't 0."""
    on = profiles > 0
    return on.argmax(axis=1), profiles.shape[1] - 1 - on[:, ::-1].argmax(axis=1)


def _slope(
    index: np.ndarray, values: np.ndarray, used: np.ndarray, tolerance: float
) -> tuple[float, float] | None:
    """Return slope and intercept of the line through two of the points that most points lie on."""
    index, values = index[used].astype(float), values[used].astype(float)
    first, second = np.triu_indices(len(index), 1)
    moved = index[first] != index[second]
    if not moved.any():
        return None
    first, second = first[moved], second[moved]
    slopes = (values[second] - values[first]) / (index[second] - index[first])
    lines = values[first] - slopes * index[first]
    errors = np.abs(values[None] - slopes[:, None] * index[None] - lines[:, None])
    near = errors <= tolerance
    best = np.lexsort((np.where(near, errors, 0).sum(axis=1), -near.sum(axis=1)))[0]
    return float(slopes[best]), float(lines[best])
