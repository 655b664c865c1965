"""Grids fitted to hand-made sights: which pixels each cell of a map depends on."""

import numpy as np
import pytest

from wsseg.backbones.grid_fit import fitted
from wsseg.backbones.measured_grid import probes
from wsseg.grid import IMAGE, Grid
from wsseg.layers.grid_rules import Unknown


def fit(rows, columns, size):
    """Fit a map whose cell (r, c) depends on the pixels `rows[r]` x `columns[c]`, lists of indices."""
    cells, count = probes((len(rows), len(columns)))
    seen = np.zeros((len(cells), 1, size, size))
    for number, (row, column) in enumerate(cells):
        seen[number, 0][np.ix_(rows[row], columns[column])] = 1
    return fitted(cells, seen, count)


def windows(stride, first, width, count, size):
    """Return the pixels of each cell's window; a window starts at `first`, and is cut off at the border."""
    starts = [first + stride * i for i in range(count)]
    return [[p for p in range(start, start + width) if 0 <= p < size] for start in starts]


same = windows(1, 0, 1, 20, 20)


@pytest.mark.parametrize("width", [1, 3, 7])
@pytest.mark.parametrize(("stride", "first", "count"), [(2, 0, 10), (2, -1, 10), (1, -2, 20), (4, 1, 5)])
def test_windows_with_padding_and_stride(stride, first, count, width):
    grid = fit(windows(stride, first, width, count, 20), windows(1, -1, 3, 20, 20), 20)
    assert grid.stride_hw == (stride, 1) and grid.centre_hw == (first + (width - 1) / 2, 0)


def test_windows_longer_than_half_the_image_are_placed_by_their_inner_ends():
    grid = fit(windows(8, -10, 24, 6, 48), windows(8, -10, 24, 6, 48), 48)
    assert grid.stride_hw == (8, 8) and grid.centre_hw == (1.5, 1.5)


def test_dilated_windows_have_gaps_at_the_border():
    rows = [[p for p in (i - 2, i, i + 2) if 0 <= p < 20] for i in range(20)]
    assert fit(rows, [[p for p in (i - 3, i + 3) if 0 <= p < 20] for i in range(20)], 20) == IMAGE
    assert fit(rows, rows, 20) == IMAGE


def test_flipped_axis_has_a_negative_stride():
    grid = fit(same[::-1], windows(2, 0, 2, 10, 20)[::-1], 20)
    assert grid == Grid((-1.0, -2.0), (19.0, 18.5))


@pytest.mark.parametrize(("pixels", "times"), [(16, 2), (7, 2), (3, 2), (30, 3)])
def test_repeated_pixels_are_placed_at_their_middle(pixels, times):
    rows = [[i // times] for i in range(pixels * times)]
    grid = fit(rows, rows, pixels)
    np.testing.assert_allclose(grid.stride_hw, 1 / times)
    np.testing.assert_allclose(grid.centre_hw, (1 / times - 1) / 2, atol=1e-6)


@pytest.mark.parametrize("mode", ["reflect", "symmetric", "wrap"])
def test_padding_that_repeats_pixels_is_no_other_order(mode):
    rows = np.pad(np.arange(20), (3, 4), mode=mode)[:, None].tolist()
    assert fit(rows, same, 20) == Grid((1.0, 1.0), (-3.0, 0.0))


@pytest.mark.parametrize("shift", [1, 7, -4])
def test_rolled_map_is_refused(shift):
    # Its first cells show the last pixels, which no other cell shows.
    rows = np.roll(np.arange(20), shift)[:, None].tolist()
    assert fit(rows, same, 20) is Unknown.MIXED


def test_other_orders_are_refused():
    for order in (np.tile(np.arange(20), 2), np.arange(20).reshape(4, 5).T.ravel(), np.repeat([3], 20)):
        assert fit(order[:, None].tolist(), same, 20) is Unknown.MIXED


def test_cells_that_see_everything_have_no_place():
    everything = [list(range(20))] * 6
    assert fit(everything, everything, 20) is Unknown.WHOLE


def test_faint_light_from_everywhere_does_not_count():
    cells, count = probes((20, 20))
    seen = np.full((len(cells), 3, 20, 20), 1 / 400)
    for number, (row, column) in enumerate(cells):
        seen[number, :, row, column] = 1
    assert fitted(cells, seen, count) == Grid((1.0, 1.0), (0.0, 0.0))


def test_cells_that_see_nothing_must_lie_outside():
    padded = [[], [], *same[:-2]]
    assert fit(padded, same, 20).centre_hw == (-2, 0)
    holes = [*same[:8], [], [], [], [], *same[12:]]
    assert fit(holes, same, 20) is Unknown.MIXED
    assert fit([[]] * 20, same, 20) is Unknown.MIXED


def test_crop_says_which_pixels_are_seen():
    grid = fit(same[6:14], same, 20)
    assert grid.centre_hw == (6, 0)
    assert grid.seen_hw[0] == (5, 14)
    assert fit(same, same, 20).seen_hw is None
