"""DeepLab v2's pyramid: names, parameters counted by hand, and the sum of branches by loops."""

import keras
import numpy as np
import pytest
from examples.half_precision import needs_half_precision
from references.convolutions import atrous

from wsseg.errors import InputError
from wsseg.layers.aspp_sum import RATES, aspp_sum


def pyramid(channels=None, rates=(1, 2), depth=3, num_classes=2, dtype=None):
    features = keras.Input((None, None, depth), dtype=dtype)
    return keras.Model(features, aspp_sum(features, num_classes, rates, channels))


def with_random_weights(model):
    rng = np.random.default_rng(0)
    for weight in model.weights:
        weight.assign(rng.normal(size=weight.shape))
    return model


def test_resnet_form_is_the_sum_of_atrous_convolutions():
    x = np.random.default_rng(1).normal(size=(2, 5, 6, 3)).astype("float32")
    model = with_random_weights(pyramid())
    branches = [atrous(x, *model.get_layer(f"aspp_{i}").get_weights(), rate) for i, rate in ((1, 1), (2, 2))]
    np.testing.assert_allclose(model(x), branches[0] + branches[1], atol=1e-4)


def test_vgg_form_is_the_sum_of_three_layer_branches():
    x = np.random.default_rng(1).normal(size=(2, 5, 6, 3)).astype("float32")
    model = with_random_weights(pyramid(channels=4))
    expected = 0
    for index, rate in ((1, 1), (2, 2)):
        weights = [model.get_layer(f"fc{n}_{index}").get_weights() for n in (6, 7, 8)]
        hidden = np.maximum(atrous(x, *weights[0], rate), 0)
        hidden = np.maximum(hidden @ weights[1][0][0, 0] + weights[1][1], 0)
        expected = expected + hidden @ weights[2][0][0, 0] + weights[2][1]
    np.testing.assert_allclose(model(x), expected, rtol=1e-4, atol=1e-4)
    for layer in ("fc6_1_dropout", "fc7_2_dropout"):
        assert model.get_layer(layer).rate == 0.5
    assert (np.array(model(x, training=True)) != np.array(model(x))).any()


def test_published_shapes():
    assert RATES == (6, 12, 18, 24)
    vgg = pyramid(channels=1024, rates=RATES, depth=512, num_classes=21)
    fc6, fc7, fc8 = 9 * 512 * 1024 + 1024, 1024 * 1024 + 1024, 1024 * 21 + 21
    assert vgg.count_params() == 4 * (fc6 + fc7 + fc8)
    resnet = pyramid(rates=RATES, depth=2048, num_classes=21)
    assert resnet.count_params() == 4 * (9 * 2048 * 21 + 21)
    for index, rate in enumerate(RATES, start=1):
        assert vgg.get_layer(f"fc6_{index}").dilation_rate == (rate, rate)
        assert resnet.get_layer(f"aspp_{index}").dilation_rate == (rate, rate)


@needs_half_precision
@pytest.mark.parametrize("channels", [None, 4])
def test_scores_are_float32_in_mixed_precision(channels):
    keras.config.set_dtype_policy("mixed_float16")
    try:
        model = pyramid(channels)
    finally:
        keras.config.set_dtype_policy("float32")
    assert model.output.dtype == "float32"
    assert model(np.ones((1, 4, 4, 3), "float32")).dtype == "float32"


def test_one_rate_is_one_branch_and_none_is_an_error():
    assert pyramid(rates=(12,)).output_shape == (None, None, None, 2)
    with pytest.raises(InputError, match="`rates`"):
        pyramid(rates=())
