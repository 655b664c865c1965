"""Pixel correlation against loops in NumPy, padding left out."""

import numpy as np
import pytest
from references.class_map_heads import cells_inside
from references.seam import correlated

from wsseg.errors import InputError
from wsseg.layers import PixelCorrelation

RANDOM = np.random.default_rng(0)
MAPS = RANDOM.uniform(0, 1, (2, 4, 5, 3)).astype("float32")
FEATURES = RANDOM.normal(0, 1, (2, 4, 5, 6)).astype("float32")


@pytest.fixture(scope="module")
def layer():
    layer = PixelCorrelation(4)
    layer.build([MAPS.shape, FEATURES.shape])
    return layer


def test_cells_get_the_mean_of_those_that_look_alike(layer):
    found = layer([MAPS, FEATURES]).numpy()
    for one, maps, features in zip(found, MAPS, FEATURES):
        np.testing.assert_allclose(one, correlated(maps, features, layer.kernel.numpy()), atol=1e-5)
    assert np.abs(found - MAPS).max() > 0.1  # it does something


def test_the_padding_gives_nothing(layer):
    valid = np.zeros((2, 32, 40), "float32")
    valid[0, :20], valid[1] = 1, 1
    found = layer([MAPS, FEATURES, valid]).numpy()
    inside = cells_inside((4, 5), (32, 40), (20, 40))
    expected = correlated(MAPS[0], FEATURES[0], layer.kernel.numpy(), inside)
    np.testing.assert_allclose(found[0], expected, atol=1e-5)
    np.testing.assert_allclose(found[1], layer([MAPS, FEATURES]).numpy()[1], atol=1e-5)
    changed = np.where(inside[..., None], MAPS[0], 9)[None]
    again = layer([changed, FEATURES[:1], valid[:1]]).numpy()
    np.testing.assert_allclose(again[0], found[0], atol=1e-5)


def test_the_embedding_starts_four_times_as_wide_as_glorots():
    layer = PixelCorrelation(192)
    layer.build([(None, 4, 4, 21), (None, 4, 4, 195)])
    limit = 4 * np.sqrt(6 / (195 + 192))
    assert 0.95 * limit < np.abs(layer.kernel.numpy()).max() <= limit


def test_bad_channels():
    for channels in (0, 1.5, True):
        with pytest.raises(InputError, match="`channels` must be a whole number from 1"):
            PixelCorrelation(channels)
