"""Cells read between cells: against loops, and against maps whose value anywhere is known."""

import numpy as np
import pytest

from tests.references import class_maps
from wsseg.grid import Grid
from wsseg.interpolation import interpolation, on_even_cells, placed, resizing, without_padding

RNG = np.random.default_rng(0)


@pytest.mark.parametrize("cells", [1, 2, 7])
def test_matrices_read_a_row_as_loops_do(cells):
    row, positions = RNG.normal(size=(1, cells)), RNG.uniform(-3, cells + 2, 40)
    expected = class_maps.at_positions(row, [0], positions)[0]
    np.testing.assert_allclose(interpolation(positions, cells) @ row[0], expected, rtol=1e-12, atol=1e-12)
    pixels = RNG.uniform(-9, 40, 30)
    expected = class_maps.placed(row, [0], pixels, 4, 2.5)
    # Across the axis of one cell every pixel reads that cell.
    np.testing.assert_allclose(placed(pixels, cells, 4, 2.5) @ row[0], expected[0], rtol=1e-5, atol=1e-5)
    expected = class_maps.bilinear(row, 1, 9)[0]
    np.testing.assert_allclose(resizing(cells, 9) @ row[0], expected, rtol=1e-5, atol=1e-5)


def test_positions_of_several_rows_at_once():
    positions = RNG.uniform(-1, 5, (3, 8))
    found = interpolation(positions, 5)
    assert found.shape == (3, 8, 5)
    np.testing.assert_allclose(found.sum(-1), 1, rtol=1e-12)
    for matrix, row in zip(found, positions):
        assert np.array_equal(matrix, interpolation(row, 5))


@pytest.mark.parametrize("size_hw", [(47, 33), (64, 48), (5, 61)])
def test_features_at_even_cells_are_those_of_loops(size_hw):
    """Also where cells look elsewhere than in the middle of their pixels."""
    features = RNG.normal(size=(16, 16, 3)).astype(np.float32)
    found = on_even_cells(features, Grid((4.0, 4.0), (3.0, 0.5)), size_hw)
    rows, columns = (
        [(i + 0.5) * side / -(-side // 4) - 0.5 for i in range(-(-side // 4))] for side in size_hw
    )
    assert found.shape == (len(rows), len(columns), 3) and found.dtype == np.float32
    for channel in range(3):
        expected = class_maps.at_positions(
            features[..., channel], [(y - 3) / 4 for y in rows], [(x - 0.5) / 4 for x in columns]
        )
        np.testing.assert_allclose(found[..., channel], expected, rtol=1e-5, atol=1e-5)


def ramp(cells_hw, stride):
    """A map that says how far down and to the right the middle of each cell is, in pixels."""
    y, x = ((np.arange(n) + 0.5) * stride for n in cells_hw)
    return np.stack([np.broadcast_to(y[:, None], cells_hw), np.broadcast_to(x[None], cells_hw)]).astype(
        np.float32
    )


def test_an_image_of_whole_cells_is_cut_out():
    padded = np.random.default_rng(0).random((2, 16, 16)).astype(np.float32)
    cut = without_padding(padded, (48, 32), 4)
    assert np.array_equal(cut, padded[:, :12, :8])


@pytest.mark.parametrize("size_hw", [(47, 33), (50, 61), (5, 64), (1, 1)])
def test_cells_are_moved_to_cover_the_image(size_hw):
    """Cell i of n covers [i, i + 1) * side / n: a linear map read there gives just its middle."""
    cut = without_padding(ramp((16, 16), 4), size_hw, 4)
    cells = [-(-side // 4) for side in size_hw]
    assert cut.shape == (2, *cells)
    for axis in (0, 1):
        middles = (np.arange(cells[axis]) + 0.5) * size_hw[axis] / cells[axis]
        expected = np.maximum(
            middles, 2
        )  # before the first cell's middle there is nothing to interpolate with
        assert np.allclose(cut[axis].take(0, 1 - axis), expected, atol=1e-4)


def test_padding_of_a_whole_cell_has_no_say():
    padded = np.zeros((1, 16, 16), np.float32)
    padded[:, 13:, :] = padded[:, :, 9:] = 1e6
    assert without_padding(padded, (50, 33), 4).max() == 0
