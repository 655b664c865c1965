"""The GAP classifier on a real backbone: its linear layer, padding, shared weights, output stride."""

import keras
import numpy as np
import pytest

from wsseg import classifiers
from wsseg.errors import InputError

IMAGES = np.random.default_rng(0).uniform(0, 255, (2, 64, 96, 3)).astype("float32")


def build(**options):
    keras.utils.set_random_seed(0)
    model = classifiers.create("gap", backbone="mobilenet_0.25", num_classes=3, **options)
    for layer in model.layers:  # to the images' own statistics: random features would vanish
        if isinstance(layer, keras.layers.BatchNormalization):
            layer.momentum = 0.0
    if options.get("input_size") is None:
        model(IMAGES, training=True)
    return model


@pytest.fixture(scope="module")
def model():
    return build()


def test_logits_are_the_linear_layer_on_the_mean_of_the_features(model):
    features = keras.Model(model.input, model.features)(IMAGES).numpy()
    assert features.shape == (2, 4, 6, 256)  # output stride 16
    (kernel,) = model.head.get_weights()  # no bias
    logits = model(IMAGES).numpy()
    assert logits.shape == (2, 3) and np.ptp(logits) > 1e-2
    np.testing.assert_allclose(logits, features.mean((1, 2)) @ kernel, rtol=1e-4, atol=1e-5)


def test_padding_never_counts_given_the_features(model):
    network = model.with_validity()
    valid = np.zeros((2, 64, 96), "float32")
    valid[0, :40, :64], valid[1] = 1, 1
    features = keras.Model(model.input, model.features)(IMAGES).numpy()
    # Cells of 16 pixels: 40 rows hold the centres 8 and 24, 64 columns the centres 8, 24, 40, 56.
    pooled = np.stack([features[0, :2, :4].mean((0, 1)), features[1].mean((0, 1))])
    expected = pooled @ model.head.get_weights()[0]
    np.testing.assert_allclose(network([IMAGES, valid]), expected, rtol=1e-4, atol=1e-5)


def test_with_validity_shares_every_weight():
    model = build()
    network = model.with_validity()
    np.testing.assert_allclose(
        network([IMAGES, np.ones((2, 64, 96), "float32")]), model(IMAGES), rtol=1e-4, atol=1e-6
    )
    assert {id(v) for v in network.weights} == {id(v) for v in model.weights}
    before = model(IMAGES).numpy()
    network.compile("sgd", keras.losses.BinaryCrossentropy(from_logits=True), run_eagerly=True)
    network.train_on_batch([IMAGES, np.ones((2, 64, 96), "float32")], np.eye(3)[:2])
    assert not np.allclose(model(IMAGES), before)


def test_at_output_stride_keeps_the_weights(model):
    dense = model.at_output_stride(8)
    for mine, other in zip(model.get_weights(), dense.get_weights(), strict=True):
        np.testing.assert_array_equal(mine, other)
    coarse = keras.Model(model.input, model.features)(IMAGES).numpy()
    fine = keras.Model(dense.input, dense.features)(IMAGES).numpy()
    assert fine.shape == (2, 8, 12, 256) and dense.output_stride == 8
    np.testing.assert_allclose(fine[:, ::2, ::2], coarse, rtol=1e-3, atol=1e-3)


def test_width_is_kept_in_the_configuration():
    model = classifiers.create("gap", backbone="mobilenet_0.25", num_classes=2, input_size=(64, 64))
    assert model.get_config()["backbone"] == "mobilenet_0.25"
    assert type(model).from_config(model.get_config()).count_params() == model.count_params()


def test_wrong_names():
    with pytest.raises(InputError, match="unknown classifier `gpa`; did you mean `gap`"):
        classifiers.create("gpa", backbone="mobilenet_0.25", num_classes=2)
    with pytest.raises(InputError, match="unknown backbone `mobilnet`"):
        classifiers.create("gap", backbone="mobilnet", num_classes=2)
