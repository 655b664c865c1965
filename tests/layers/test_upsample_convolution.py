"""Upsampling and then convolving, against the two steps by loops."""

import keras
import numpy as np
import pytest
from references.class_maps import bilinear
from references.convolutions import atrous

from wsseg.errors import InputError
from wsseg.layers.bilinear_upsampling import BilinearUpsampling2D
from wsseg.layers.upsample_convolution import upsample_convolution


def repeated(image, height, width):
    return np.array([[image[y * 4 // height, x * 5 // width] for x in range(width)] for y in range(height)])


@pytest.mark.parametrize(("interpolation", "resize"), [("nearest", repeated), ("bilinear", bilinear)])
@pytest.mark.parametrize("factor", [1, 2, 3])
@pytest.mark.parametrize("size_known", [True, False])
def test_equals_its_steps_by_loops(interpolation, resize, factor, size_known):
    maps = np.random.default_rng(0).normal(size=(2, 4, 5, 2)).astype("float32")
    image = keras.Input((*((4, 5) if size_known else (None, None)), 2))
    up = upsample_convolution(image, 3, "up", factor, interpolation=interpolation)
    model = keras.Model(image, up)
    assert model.output_shape == (None, *((4 * factor, 5 * factor) if size_known else (None, None)), 3)
    kernel, bias = model.get_layer("up").get_weights()
    bias = np.array([1, -2, 3], "float32")
    model.get_layer("up").set_weights([kernel, bias])
    larger = np.zeros((2, 4 * factor, 5 * factor, 2))
    for b, _, _, c in np.ndindex(2, 1, 1, 2):
        larger[b, :, :, c] = resize(maps[b, :, :, c], 4 * factor, 5 * factor)
    np.testing.assert_allclose(model.predict(maps, verbose=0), atrous(larger, kernel, bias, 1), atol=1e-4)


def test_bad_options_are_named():
    image = keras.Input((4, 4, 2))
    with pytest.raises(InputError, match="did you mean `bilinear`"):
        upsample_convolution(image, 3, "up", interpolation="billinear")
    for factor in (0, 1.5):
        with pytest.raises(InputError, match="`factor`"):
            upsample_convolution(image, 3, "up", factor)
        with pytest.raises(InputError, match="`factor`"):
            BilinearUpsampling2D(factor)
