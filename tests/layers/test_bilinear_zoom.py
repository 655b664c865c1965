"""Upsampling to multiples of the stride, against NumPy's interpolation."""

import keras
import numpy as np
import pytest

from wsseg.errors import InputError
from wsseg.layers.bilinear_zoom import BilinearZoomTo


def by_numpy(cells, factor, size_hw):
    """Interpolate `(h, w)` at `i / factor`, axis by axis."""
    rows, columns = (np.arange(n) / factor for n in size_hw)
    tall = np.stack([np.interp(rows, np.arange(len(column)), column) for column in cells.T], axis=1)
    return np.stack([np.interp(columns, np.arange(cells.shape[1]), row) for row in tall])


@pytest.mark.parametrize(("cells_hw", "factor", "size_hw"), [((3, 5), 8, (17, 33)), ((2, 3), 4, (7, 12))])
def test_as_numpy_interpolates_and_when_the_sizes_are_unknown_too(cells_hw, factor, size_hw):
    cells = np.random.default_rng(0).normal(size=cells_hw).astype("float32")
    expected = by_numpy(cells, factor, size_hw)
    inputs = [cells[None, :, :, None], np.zeros((1, *size_hw, 3), "float32")]
    np.testing.assert_allclose(BilinearZoomTo(factor)(inputs)[0, :, :, 0], expected, rtol=1e-5, atol=1e-6)
    features, like = keras.Input((None, None, 1)), keras.Input((None, None, 3))
    model = keras.Model([features, like], BilinearZoomTo(factor)([features, like]))
    assert model.output_shape == (None, None, None, 1)
    np.testing.assert_allclose(model.predict(inputs, verbose=0)[0, :, :, 0], expected, rtol=1e-5, atol=1e-6)


def test_corners_are_aligned_at_deeplabs_sizes():
    # 41 cells are 321 pixels by 8: the first and last cell are the first and last pixel.
    cells = np.zeros((1, 41, 41, 1), "float32")
    cells[0, 0, 0], cells[0, -1, -1] = 1, 2
    drawn = BilinearZoomTo(8)([cells, np.zeros((1, 321, 321, 1))]).numpy()[0, :, :, 0]
    assert drawn[0, 0] == 1 and drawn[-1, -1] == 2
    assert drawn[4, 0] == 0.5 and drawn[8, 0] == 0


def test_config_and_bad_factor():
    layer = BilinearZoomTo.from_config(BilinearZoomTo(8, name="zoom").get_config())
    assert (layer.factor, layer.name) == (8, "zoom")
    with pytest.raises(InputError, match="`factor` must be a whole number from 1; got 0; try 8"):
        BilinearZoomTo(0)
