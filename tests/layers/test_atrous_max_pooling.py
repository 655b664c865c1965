"""`AtrousMaxPooling2D` against a loop in NumPy."""

import keras
import numpy as np
import pytest
from examples.half_precision import needs_half_precision

from wsseg.errors import InputError
from wsseg.layers.atrous_max_pooling import AtrousMaxPooling2D


def pooled(x, pool_hw, rate_hw, pads):
    """Loop over positions and window; outside the map nothing counts."""
    (top, bottom), (left, right) = pads
    _, height, width, channels = x.shape
    out_h = height + top + bottom - (pool_hw[0] - 1) * rate_hw[0]
    out_w = width + left + right - (pool_hw[1] - 1) * rate_hw[1]
    out = np.full((len(x), out_h, out_w, channels), -np.inf)
    for i in range(out_h):
        for j in range(out_w):
            for a in range(pool_hw[0]):
                for b in range(pool_hw[1]):
                    y, z = i - top + a * rate_hw[0], j - left + b * rate_hw[1]
                    if 0 <= y < height and 0 <= z < width:
                        out[:, i, j] = np.maximum(out[:, i, j], x[:, y, z])
    return out


@pytest.fixture
def maps():
    return np.random.default_rng(0).normal(-5, 1, (2, 7, 8, 3)).astype("float32")  # negative: zeros would win


@pytest.mark.parametrize(
    ("pool", "rate", "pads"),
    [
        ((2, 2), (1, 1), "end"),
        ((2, 2), (2, 2), "end"),
        ((3, 2), (2, 4), "end"),
        ((1, 1), (3, 3), "end"),
        ((3, 3), (2, 2), ((2, 2), (2, 2))),
        ((3, 2), (2, 1), ((0, 1), (1, 0))),
        ((3, 3), (1, 1), ((0, 0), (0, 0))),
    ],
)
def test_equals_the_loop(maps, pool, rate, pads):
    layer = AtrousMaxPooling2D(pool, rate, pads)
    explicit = tuple((0, (k - 1) * r) for k, r in zip(pool, rate)) if pads == "end" else pads
    expected = pooled(maps, pool, rate, explicit)
    np.testing.assert_array_equal(layer(maps), expected.astype("float32"))
    assert layer.compute_output_shape(maps.shape) == expected.shape
    if pads == "end":
        assert expected.shape == maps.shape


def test_every_second_value_is_the_strided_pooling(maps):
    x = maps[:, :6]
    np.testing.assert_array_equal(
        AtrousMaxPooling2D(2)(x)[:, ::2, ::2], keras.layers.MaxPooling2D(2, strides=2)(x)
    )


@needs_half_precision
def test_unknown_size_half_precision_and_gradient(maps):
    image = keras.Input((None, None, 3))
    model = keras.Model(image, AtrousMaxPooling2D(3, 2, dtype="mixed_float16")(image))
    assert model.output_shape == (None, None, None, 3)
    expected = pooled(maps.astype("float16"), (3, 3), (2, 2), ((0, 4), (0, 4)))
    np.testing.assert_array_equal(model.predict(maps, verbose=0), expected)

    kernel = keras.layers.Conv2D(1, 1, use_bias=False)
    trained = keras.Sequential([keras.Input((7, 8, 3)), kernel, AtrousMaxPooling2D(2, 2)])
    trained.compile("sgd", "mse")
    trained.fit(maps, np.zeros((2, 7, 8, 1)), verbose=0)
    assert np.isfinite(kernel.get_weights()[0]).all()


def test_config_round_trip(maps):
    layer = AtrousMaxPooling2D((2, 3), 2, ((1, 1), (2, 2)))
    config = keras.saving.serialize_keras_object(layer)
    restored = keras.saving.deserialize_keras_object(config)
    np.testing.assert_array_equal(restored(maps), layer(maps))


@pytest.mark.parametrize(
    ("arguments", "option"),
    [
        ({"pool_size": 0}, "pool_size"),
        ({"pool_size": (2, 2, 2)}, "pool_size"),
        ({"pool_size": 2, "dilation_rate": -1}, "dilation_rate"),
        ({"pool_size": 2, "padding": "same"}, "padding"),
        ({"pool_size": 2, "padding": ((0, -1), (0, 0))}, "padding"),
    ],
)
def test_bad_options_are_named(arguments, option):
    with pytest.raises(InputError, match=option):
        AtrousMaxPooling2D(**arguments)
