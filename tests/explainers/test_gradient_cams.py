"""Grad-CAM's family against loops with finite differences, and what must hold between its members."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from examples.half_precision import needs_half_precision
from examples.networks import small_classifier
from keras import layers
from references import gradient_cams
from references.class_maps import convolution_relu, grad_cam

from wsseg import explainers
from wsseg.explainers.cam import CAM
from wsseg.explainers.eigen_cam import EigenCAM
from wsseg.explainers.grad_cam_pp import GradCAMPlusPlus
from wsseg.explainers.xgrad_cam import XGradCAM

TWINS = {
    "grad_cam": grad_cam,
    "grad_cam_pp": gradient_cams.grad_cam_pp,
    "xgrad_cam": gradient_cams.xgrad_cam,
    "hires_cam": gradient_cams.hires_cam,
    "layer_cam": gradient_cams.layer_cam,
    "counterfactual": gradient_cams.counterfactual,
    "eigen_cam": gradient_cams.eigen_cam,
}


@pytest.fixture(scope="module")
def images():
    return np.random.default_rng(0).uniform(0, 1, (2, 9, 11, 3)).astype("float32")


@pytest.fixture(scope="module")
def nonlinear():
    model = small_classifier((9, 11), head="tanh")
    # A dead channel divides 0 by 0 in XGrad-CAM; small weights keep tanh from saturating.
    kernel, _ = model.get_layer("features").get_weights()
    model.get_layer("features").set_weights([kernel, np.array([0.1, -50.0, 0.2, 0.0])])
    return model


def twin(name, model, image, target):
    """The map of flatten, dense tanh, dense: computed without Keras."""
    kernel, bias = model.get_layer("features").get_weights()
    hidden, hidden_bias = (w.astype(float) for w in model.get_layer("hidden").get_weights())
    last, last_bias = (w.astype(float) for w in model.get_layer("logits").get_weights())

    def score(features):
        return (np.tanh(features.ravel() @ hidden + hidden_bias) @ last + last_bias)[target]

    return TWINS[name](convolution_relu(image, kernel, bias, 2), score)


@pytest.mark.parametrize("name", TWINS)
def test_equals_the_loops(name, nonlinear, images):
    explainer = explainers.create(name, model=nonlinear)
    found = explainer.raw(images, [[0, 1, 2]] * 2)
    expected = np.array([[twin(name, nonlinear, image, target) for target in range(3)] for image in images])
    assert np.ptp(expected, axis=(2, 3)).max() > 1e-2
    np.testing.assert_allclose(found, expected, atol=1e-4)


def test_eigen_cam_where_there_are_fewer_channels_than_cells_and_more(images):
    for channels in (3, 30):  # 20 cells: each of the two Gram matrices
        for size_hw in ((9, 11), (None, None)):
            model = small_classifier(size_hw, channels=channels)
            found = EigenCAM(model).raw(images, [0, 1])
            kernel, bias = model.get_layer("features").get_weights()
            for image, one in zip(images, found):
                expected = gradient_cams.eigen_cam(convolution_relu(image, kernel, bias, 2))
                np.testing.assert_allclose(one, expected, rtol=1e-3, atol=1e-4)


def test_grad_cam_pp_of_weak_gradients_is_not_lost(images):
    # g = 1e-15: its cube is no number of float32's.
    model = small_classifier()
    model.get_layer("logits").kernel.assign(np.full((4, 3), 1e-15))
    found = GradCAMPlusPlus(model).raw(images, [0, 0])
    kernel, bias = model.get_layer("features").get_weights()
    for image, one in zip(images, found):
        features = convolution_relu(image, kernel, bias, 2)
        # Every alpha is 1 / 2, so a channel's weight is half its gradients' sum, 1e-15 / 2.
        np.testing.assert_allclose(one, features.sum(axis=2) * 0.5e-15, rtol=1e-4)


def test_on_a_gap_head_hires_cam_is_cam_over_the_cells(images):
    model = small_classifier()
    cam = CAM(model).raw(images, [1, 2])
    assert cam.min() < 0  # negative evidence is kept by both
    np.testing.assert_allclose(
        explainers.create("hires_cam", model=model).raw(images, [1, 2]), cam / 20, atol=1e-6
    )


def test_hires_cam_sums_to_what_the_features_contribute(images):
    model = small_classifier()
    logits = model(images).numpy() - model.get_layer("logits").bias.numpy()
    maps = explainers.create("hires_cam", model=model).raw(images, [[0, 1, 2]] * 2)
    np.testing.assert_allclose(maps.sum(axis=(2, 3)), logits, atol=1e-5)


def test_layer_cam_is_hires_cam_where_all_gradients_are_positive(images):
    model = small_classifier()
    model.get_layer("logits").kernel.assign(np.random.default_rng(0).uniform(0.1, 1, (4, 3)))
    layer, hires = (explainers.create(n, model=model).raw(images, [1, 2]) for n in ("layer_cam", "hires_cam"))
    assert layer.max() > 0
    np.testing.assert_allclose(layer, hires, atol=1e-6)


def test_on_a_gap_head_xgrad_cam_is_grad_cam(images):
    model = small_classifier()
    xgrad, grad = (explainers.create(n, model=model).raw(images, [1, 2]) for n in ("xgrad_cam", "grad_cam"))
    np.testing.assert_allclose(xgrad, grad, atol=1e-6)


def test_eigen_cam_knows_no_class(images, nonlinear):
    maps = EigenCAM(nonlinear).raw(images, [[0, 1, -1]] * 2)
    np.testing.assert_array_equal(maps[:, 0], maps[:, 1])
    assert maps[:, 0].max() > 0 and not maps[:, 2].any()


def test_counterfactual_is_the_negative_side_of_grad_cam(images):
    model = small_classifier()
    for_class = explainers.create("grad_cam", model=model)
    against = explainers.create("counterfactual", model=model).raw(images, [0, 1])
    np.testing.assert_allclose(against, for_class.raw(images, lambda y: -keras.ops.diagonal(y)), atol=1e-6)
    assert against.max() > 0
    assert not ((against > 1e-6) & (for_class.raw(images, [0, 1]) > 1e-6)).any()


@needs_half_precision
@pytest.mark.parametrize("name", TWINS)
def test_mixed_precision(name, images):
    plain, mixed = small_classifier(), small_classifier(dtype="mixed_float16")
    mixed.set_weights(plain.get_weights())
    expected = explainers.create(name, model=plain).raw(images, [[0, 1]] * 2)
    found = explainers.create(name, model=mixed).raw(images, [[0, 1]] * 2)
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, expected, rtol=1e-2, atol=1e-2 * np.abs(expected).max())


def pole(total, method="grad_cam_pp"):
    """Explain two channels of 2 x 2 cells under weights of 1: one sums to `total`, its first three cells are 0.5."""
    image = keras.Input((2, 2, 2))
    cells = layers.Identity(name="cells")(image)
    scores = layers.Dense(1, use_bias=False, kernel_initializer="ones")(layers.Flatten()(cells))
    model = keras.Model(image, scores)
    first = np.array([0.5, 0.5, 0.5, total - 1.5])
    values = np.stack([first, np.ones(4)], axis=-1).reshape(1, 2, 2, 2).astype("float32")
    return first, explainers.create(method, model, layer="cells").raw(values, [0])[0].ravel()


def test_grad_cam_pp_by_hand_on_both_sides_of_its_pole():
    # Every gradient is 1. The channel of ones has the sum 4, so alpha = 1 / (2 + 4) and the weight 4 / 6. The other's
    # alpha is 1 / (2 + sum), and 1 / 2 from sums of 0 down; the published formula is infinite at -2.
    for total, alpha in (
        (2.0, 1 / 4),
        (0.5, 1 / 2.5),
        (0.0, 1 / 2),
        (-0.1, 1 / 2),
        (-2.0, 1 / 2),
        (-30.0, 1 / 2),
    ):
        first, found = pole(total)
        np.testing.assert_allclose(found, np.maximum(4 * alpha * first + 4 / 6, 0), rtol=1e-5)


def test_maps_do_not_leap_where_sums_are_zero():
    for method in ("grad_cam_pp", "xgrad_cam"):
        for middle in (-2.0, 0.0):
            below, above = (pole(middle + step, method)[1] for step in (-1e-3, 1e-3))
            assert np.abs(above - below).max() < 1e-2 and above.max() < 5


def test_xgrad_cam_by_hand_of_features_of_both_signs():
    features = tf.constant([[[[1.0], [-3.0]]]])
    gradients = tf.constant([[[[[2.0], [1.0]]]]])
    # Weights |1| / 4 and |-3| / 4: 2 / 4 + 3 / 4. The published weights, 1 / -2 and -3 / -2, give 0.5.
    found = XGradCAM.combine(None, features, gradients)
    np.testing.assert_allclose(found[0, 0], [[1.25, 0]], rtol=1e-6)
