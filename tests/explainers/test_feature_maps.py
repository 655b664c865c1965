"""Channels of a layer: their order, their strength, their place."""

import keras
import numpy as np
import pytest
from keras import layers

from wsseg.errors import InputError
from wsseg.explainers.feature_maps import feature_maps, stage_ends


@pytest.fixture
def model():
    """Channels of `colours`: red, half of green, and minus blue; then cells of 2 and 4 pixels."""
    image = keras.Input((16, 16, 3))
    colours = layers.Conv2D(3, 1, use_bias=False, name="colours")(image)
    small = layers.AveragePooling2D(2, name="small")(colours)
    smaller = layers.AveragePooling2D(2, name="smaller")(layers.ReLU(name="relu")(small))
    padded = layers.ZeroPadding2D(1, name="padded")(smaller)
    model = keras.Model(image, layers.Dense(2)(layers.GlobalAveragePooling2D()(padded)))
    model.get_layer("colours").set_weights([np.diag([1.0, 0.5, -1.0])[None, None]])
    return model


@pytest.fixture
def images():
    """The first is red in its upper half, the second green all over, both blue in a corner."""
    images = np.zeros((2, 16, 16, 3), "float32")
    images[0, :8, :, 0] = 1
    images[1, :, :, 1] = 0.6
    images[:, 12:, 12:, 2] = 9
    return images


def test_order_strength_and_place(model, images):
    found = feature_maps(model, images, "small", top=3)
    # Means over the places: red 1 / 2, green 0.6 / 2, blue never positive.
    assert found.layer == "small" and found.channels.tolist() == [0, 1, 2]
    np.testing.assert_allclose(found.responses, [[0.5, 0, 0], [0, 0.3, 0]], atol=1e-6)
    assert found.maps.shape == (3, 2, 16, 16) and found.maps.dtype == np.float32
    red, green, blue = found.maps
    np.testing.assert_allclose(red[0, :7], 1, atol=1e-6)
    assert red[0, 9:].max() == 0 and red[1].max() == 0
    np.testing.assert_allclose(green[1], 1, atol=1e-6)
    assert not blue.any()
    assert feature_maps(model, images, "small", top=1).channels.tolist() == [0]


def test_last_layer_of_each_size_of_cells(model):
    assert stage_ends(model) == ["colours", "relu", "smaller"]


def test_wrong_layer(model, images):
    with pytest.raises(InputError, match="did you mean `small`"):
        feature_maps(model, images, "smal")
