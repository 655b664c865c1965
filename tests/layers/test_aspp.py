"""Atrous spatial pyramid pooling: shapes, rates, and parameters counted by hand."""

import keras
import numpy as np
import pytest

from wsseg.layers.aspp import RATES, aspp, convolution


def pyramid(size=9, channels=4, rates=(6, 12, 18)):
    features = keras.Input((size, size, 8))
    return keras.Model(features, aspp(features, channels, rates))


def test_parameters_by_hand():
    # 1x1: 8*4, batch norm 4*4. Separable 3x3: 9*8 and 8*4, batch norms 4*8 and 4*4. Image: as 1x1.
    # Projection of 5 branches of 4 channels: 20*4, batch norm 4*4. No biases.
    one, separable, project = 32 + 16, 72 + 32 + 32 + 16, 80 + 16
    assert pyramid().count_params() == 2 * one + 3 * separable + project


def test_plain_branches_of_v3_by_hand():
    features = keras.Input((9, 9, 8))
    model = keras.Model(features, aspp(features, 4, (6, 12, 18), separable=False))
    one, plain, project = 32 + 16, 9 * 32 + 16, 80 + 16
    assert model.count_params() == 2 * one + 3 * plain + project
    for index, rate in enumerate((6, 12, 18), start=1):
        assert model.get_layer(f"aspp_{index}").dilation_rate == (rate, rate)


@pytest.mark.parametrize("size", [9, None])
def test_keeps_the_size(size):
    model = pyramid(size)
    assert model.output_shape == (None, size, size, 4)
    assert model(np.zeros((1, 9, 9, 8))).shape == (1, 9, 9, 4)


def test_rates_are_those_of_the_depthwise_layers():
    model = pyramid()
    for index, rate in enumerate((6, 12, 18), start=1):
        assert model.get_layer(f"aspp_{index}_depthwise").dilation_rate == (rate, rate)
    assert RATES == {8: (12, 24, 36), 16: (6, 12, 18), 32: (3, 6, 9)}


def test_image_branch_is_the_same_everywhere_and_sees_all():
    features = keras.Input((9, 9, 8))
    model = keras.Model(features, aspp(features, 4, (6, 12, 18)))
    branch = keras.Model(features, model.get_layer("aspp_image_resize").output)
    images = np.random.default_rng(0).normal(size=(1, 9, 9, 8)).astype("float32")
    before = branch(images).numpy()
    np.testing.assert_allclose(before, np.broadcast_to(before[:, :1, :1], before.shape), atol=1e-6)
    images[0, 8, 8] += 50
    assert not np.allclose(branch(images)[0, 0, 0], before[0, 0, 0])


def test_plain_convolution_has_one_window():
    features = keras.Input((9, 9, 8))
    model = keras.Model(features, convolution(features, 5, "one", kernel=3, rate=2))
    assert model.get_layer("one").dilation_rate == (2, 2)
    assert model.count_params() == 9 * 8 * 5 + 4 * 5
