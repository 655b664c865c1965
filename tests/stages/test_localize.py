import numpy as np
import pytest

from wsseg.stages.localize import without_padding


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
