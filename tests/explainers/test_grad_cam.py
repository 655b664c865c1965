"""Grad-CAM against finite differences in float64 NumPy, and its relation to CAM."""

import keras
import numpy as np
import pytest
from examples.half_precision import needs_half_precision
from examples.networks import small_classifier
from keras import layers
from references.class_maps import convolution_relu, grad_cam, placed

from wsseg.explainers.cam import CAM
from wsseg.explainers.grad_cam import GradCAM


@pytest.fixture
def images():
    return np.random.default_rng(0).uniform(0, 1, (2, 9, 11, 3)).astype("float32")


def twin(model, image, target):
    """Grad-CAM of flatten, dense tanh, dense: computed without Keras."""
    kernel, bias = model.get_layer("features").get_weights()
    hidden, hidden_bias = (w.astype(float) for w in model.get_layer("hidden").get_weights())
    last, last_bias = (w.astype(float) for w in model.get_layer("logits").get_weights())

    def score(features):
        return (np.tanh(features.ravel() @ hidden + hidden_bias) @ last + last_bias)[target]

    return grad_cam(convolution_relu(image, kernel, bias, 2), score)


@pytest.fixture
def nonlinear():
    return small_classifier((9, 11), head="tanh")


def test_raw_equals_finite_differences(nonlinear, images):
    raw = GradCAM(nonlinear).raw(images, [2, 0])
    expected = np.stack([twin(nonlinear, images[0], 2), twin(nonlinear, images[1], 0)])
    assert expected.max() > 1e-2
    np.testing.assert_allclose(raw, expected, atol=1e-4)


def test_map_is_enlarged_and_reaches_one(nonlinear, images):
    raw = [twin(nonlinear, images[0], target) for target in range(3)]
    target = int(np.argmax([m.max() for m in raw]))
    maps = GradCAM(nonlinear)(images, [target, 0])
    expected = placed(raw[target], range(9), range(11), 2, 1)  # cell i looks at pixel 2 i + 1
    np.testing.assert_allclose(maps[0], expected / expected.max(), atol=1e-4)
    assert maps.min() >= 0 and maps.max() <= 1


def test_on_a_gap_head_it_is_cams_positive_part_over_the_cells(images):
    model = small_classifier()
    expected = np.maximum(CAM(model).raw(images, [1, 2]), 0) / (4 * 5)
    np.testing.assert_allclose(GradCAM(model).raw(images, [1, 2]), expected, atol=1e-6)
    np.testing.assert_allclose(GradCAM(model)(images, [1, 2]), CAM(model)(images, [1, 2]), atol=1e-5)


def test_several_targets_at_once_equal_one_by_one(nonlinear, images):
    explainer = GradCAM(nonlinear)
    together = explainer.raw(images, [[0, 2], [1, -1]])
    np.testing.assert_allclose(together[:, 0], explainer.raw(images, [0, 1]), atol=1e-6)
    np.testing.assert_allclose(together[0, 1], explainer.raw(images, [2, 2])[0], atol=1e-6)
    assert not together[1, 1].any()  # -1: there is no second target


FINAL = {
    "activation layer": lambda x: layers.Activation("softmax")(x),
    "softmax layer": lambda x: layers.Softmax()(x),
    "sigmoid layer": lambda x: layers.Activation("sigmoid")(x),
    "operation": keras.ops.softmax,
    "function": keras.activations.sigmoid,
    "then cast to float32": lambda x: layers.Activation("linear", dtype="float32")(layers.Softmax()(x)),
}


@pytest.mark.parametrize("final", FINAL)
def test_explains_the_logits_where_probabilities_saturate(nonlinear, images, final):
    nonlinear.get_layer("logits").kernel.assign(nonlinear.get_layer("logits").kernel * 300)
    model = keras.Model(nonlinear.input, FINAL[final](nonlinear.outputs[0]))
    probabilities = model(images).numpy()
    assert np.abs(probabilities - probabilities.round()).max() < 1e-6  # their gradient is 0
    expected = GradCAM(nonlinear).raw(images, [[0, 1, 2]] * 2)
    assert expected.max() > 1
    np.testing.assert_allclose(
        GradCAM(model).raw(images, [[0, 1, 2]] * 2), expected, atol=1e-5 * expected.max()
    )


@pytest.mark.parametrize("activation", ["softmax", "sigmoid"])
def test_explains_the_logits_of_a_dense_layer_with_its_activation(nonlinear, images, activation):
    dense = layers.Dense(3, activation=activation)
    model = keras.Model(nonlinear.input, dense(nonlinear.get_layer("hidden").output))
    dense.set_weights(nonlinear.get_layer("logits").get_weights())
    expected = GradCAM(nonlinear).raw(images, [1, 2])
    np.testing.assert_allclose(GradCAM(model).raw(images, [1, 2]), expected, atol=1e-5 * expected.max())


def test_weak_map_reaches_one_and_no_evidence_stays_zero(images):
    model = small_classifier()
    model.get_layer("logits").kernel.assign(np.full((4, 3), [1e-9, -1.0, 0.0]))
    maps = GradCAM(model)(images, [[0, 1, 2]] * 2)
    np.testing.assert_allclose(maps[:, 0].max(axis=(1, 2)), 1, rtol=1e-5)
    assert not maps[:, 1:].any()


@needs_half_precision
def test_mixed_precision_keeps_small_gradients():
    # 31 x 31 cells and weights of 0.0003: gradients of 3e-7, where float16 has steps of 6e-8.
    images = np.random.default_rng(0).uniform(0, 1, (1, 63, 63, 3)).astype("float32")
    plain, mixed = small_classifier(), small_classifier(dtype="mixed_float16")
    plain.get_layer("logits").kernel.assign(np.random.default_rng(1).uniform(1e-4, 5e-4, (4, 3)))
    mixed.set_weights(plain.get_weights())
    expected = GradCAM(plain).raw(images, [[0, 1]])
    found = GradCAM(mixed).raw(images, [[0, 1]])
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, expected, rtol=1e-2, atol=1e-2 * expected.max())


@needs_half_precision
def test_global_mixed_precision_policy(images):
    from wsseg import classifiers

    keras.config.set_dtype_policy("mixed_float16")
    try:
        model = classifiers.create("gap", backbone="mobilenet_0.25", num_classes=2, input_size=(64, 64))
        maps = {
            name: method(model)(np.zeros((1, 64, 64, 3)), [1])
            for name, method in (("cam", CAM), ("grad", GradCAM))
        }
    finally:
        keras.config.set_dtype_policy("float32")
    for found in maps.values():
        assert found.shape == (1, 64, 64) and found.dtype == np.float32 and np.isfinite(found).all()
    np.testing.assert_allclose(maps["cam"], maps["grad"], atol=2e-2)
