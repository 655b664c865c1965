"""Atrous convolution, dilated and deinterlaced, against a loop over taps."""

import keras
import numpy as np
import pytest
from references.convolutions import atrous

from wsseg.errors import InputError
from wsseg.layers.atrous_convolution import METHODS, AtrousConvolution2D

# Rates that divide the size, that don't, that are as large as the map or larger; sizes of one; other kernels.
CASES = [
    (1, (5, 6), 3),
    (2, (6, 8), 3),
    (2, (7, 5), 3),
    (3, (8, 10), (1, 5)),
    (4, (9, 6), (5, 3)),
    (5, (5, 4), 3),
    (12, (7, 9), 3),
    (3, (1, 1), 3),
    (6, (4, 1), 1),
]


@pytest.mark.parametrize(("rate", "size_hw", "kernel"), CASES)
@pytest.mark.parametrize("size_known", [True, False])
def test_both_methods_equal_the_loop(rate, size_hw, kernel, size_known):
    rng = np.random.default_rng(0)
    maps = rng.normal(size=(2, *size_hw, 3)).astype("float32")
    image = keras.Input((*(size_hw if size_known else (None, None)), 3))
    found, weights = {}, None
    for method in METHODS:
        layer = AtrousConvolution2D(4, kernel, rate, method)
        model = keras.Model(image, layer(image))
        weights = weights or [rng.normal(size=w.shape).astype("float32") for w in layer.get_weights()]
        layer.set_weights(weights)
        found[method] = model.predict(maps, verbose=0)
        np.testing.assert_allclose(found[method], atrous(maps, *weights, rate), atol=1e-4)  # values up to 18
    np.testing.assert_allclose(found["dilated"], found["deinterlaced"], atol=1e-4)


def test_same_weights_and_result_as_keras_dilated_convolution():
    maps = np.random.default_rng(0).normal(size=(1, 9, 8, 3)).astype("float32")
    own = AtrousConvolution2D(4, rate=3, method="deinterlaced", activation="relu", use_bias=False)
    keras_own = keras.layers.Conv2D(4, 3, padding="same", dilation_rate=3, activation="relu", use_bias=False)
    own(maps), keras_own(maps)
    keras_own.set_weights(own.get_weights())
    np.testing.assert_allclose(own(maps), keras_own(maps), atol=1e-5)
    assert len(own.weights) == 1


@pytest.mark.parametrize(
    ("arguments", "option"),
    [
        ({"kernel_size": 2}, "kernel_size"),
        ({"kernel_size": (3, 3, 3)}, "kernel_size"),
        ({"rate": 0}, "rate"),
        ({"rate": (2, 2)}, "rate"),
        ({"method": "deinterlace"}, "did you mean `deinterlaced`"),
    ],
)
def test_bad_options_are_named(arguments, option):
    with pytest.raises(InputError, match=option):
        AtrousConvolution2D(4, **arguments)
