"""The gradient by the image, SmoothGrad and integrated gradients against finite differences in float64."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from examples.half_precision import needs_half_precision
from examples.networks import small_classifier
from keras import layers
from references.class_maps import numeric_gradient
from references.image_gradients import convolution, integrated_gradients, smooth_grad

from wsseg.errors import InputError
from wsseg.explainers.image_gradient import ImageGradient
from wsseg.explainers.integrated_gradients import IntegratedGradients
from wsseg.explainers.multi_scale import MultiScale
from wsseg.explainers.smooth_grad import SmoothGrad

IMAGES = np.random.default_rng(0).uniform(-1, 1, (2, 6, 7, 2)).astype("float32")
METHODS = {
    ImageGradient: {},
    SmoothGrad: {"copies": 5, "noise": 0.2, "at_once": 2},
    IntegratedGradients: {"steps": 5, "value_range": (-1, 1), "at_once": 2},
}


def activated(size_hw=(6, 7), activation="tanh", dtype=None):
    image = keras.Input((*size_hw, 2))
    tensor = layers.Conv2D(3, 3, activation=activation, bias_initializer="normal", name="conv", dtype=dtype)(
        image
    )
    tensor = (
        layers.GlobalAveragePooling2D(dtype=dtype)(tensor) if None in size_hw else layers.Flatten()(tensor)
    )
    return keras.Model(image, layers.Dense(3, activation="softmax", name="dense", dtype=dtype)(tensor))


@pytest.fixture(scope="module")
def model():
    keras.utils.set_random_seed(1)
    return activated()


@pytest.fixture(scope="module")
def any_size():
    keras.utils.set_random_seed(1)
    model = activated((None, None), "relu")
    return {method: method(model, **options) for method, options in METHODS.items()}


@pytest.fixture(scope="module")
def explained(model):
    return {method: method(model, **options) for method, options in METHODS.items()}


def twin(model, target):
    """The logit of a class, computed without Keras."""
    kernel, bias, last, last_bias = (w.astype(float) for w in model.get_weights())
    return lambda image: (
        np.tanh(convolution(image, kernel, bias)).ravel() @ last[:, target] + last_bias[target]
    )


def test_gradient_equals_finite_differences(model, explained):
    found = explained[ImageGradient].attributions(IMAGES, [2, 0])
    for image, target, gradient in zip(IMAGES, [2, 0], found):
        expected = numeric_gradient(twin(model, target), image)
        assert np.abs(expected).max() > 0.05
        np.testing.assert_allclose(gradient, expected, atol=1e-4)


def test_smooth_grad_equals_finite_differences_with_the_same_noise(model, explained):
    explainer = explained[SmoothGrad]
    noises = [explainer.epsilon(i, IMAGES.shape[1:]).numpy() for i in range(5)]
    assert abs(np.std(noises) - 1) < 0.1 and len({n.sum() for n in noises}) == 5
    found = explainer.attributions(IMAGES, [2, 0])
    expected = smooth_grad(twin(model, 2), IMAGES[0], noises, 0.2)
    np.testing.assert_allclose(found[0], expected, atol=1e-4)
    # It is not the gradient at the image.
    assert np.abs(expected - numeric_gradient(twin(model, 2), IMAGES[0])).max() > 1e-3


def test_smooth_grad_depends_on_the_seed_alone(model, explained):
    once = explained[SmoothGrad].attributions(IMAGES, [2, 0])
    np.testing.assert_array_equal(once, explained[SmoothGrad].attributions(IMAGES, [2, 0]))
    options = METHODS[SmoothGrad]
    together = SmoothGrad(model, **(options | {"at_once": 9}))
    np.testing.assert_allclose(together.attributions(IMAGES, [2, 0]), once, atol=1e-5)
    # An image is explained by itself: its noise is not its neighbours'.
    np.testing.assert_allclose(together.attributions(IMAGES[1:], [0])[0], once[1], atol=1e-5)
    other = SmoothGrad(model, **(options | {"seed": 1})).attributions(IMAGES, [2, 0])
    assert np.abs(other - once).max() > 1e-3


def test_smooth_grad_without_noise_is_the_gradient(model, explained):
    found = SmoothGrad(model, copies=3, noise=0).attributions(IMAGES, [2, 0])
    np.testing.assert_allclose(found, explained[ImageGradient].attributions(IMAGES, [2, 0]), atol=1e-5)


BASELINES = {
    "black": np.full((6, 7, 2), -1.0),
    "white": np.full((6, 7, 2), 1.0),
    "mean": np.broadcast_to(IMAGES[0].mean(axis=(0, 1)), (6, 7, 2)),
    "colour": np.broadcast_to([0.25, -0.5], (6, 7, 2)),
    "image": IMAGES[1],
}


@pytest.mark.parametrize("name", BASELINES)
@pytest.mark.parametrize("rule", ["midpoint", "trapezoid"])
def test_integrated_gradients_equal_finite_differences(model, name, rule):
    given = {"colour": [0.25, -0.5], "image": IMAGES[1]}.get(name, name)
    explainer = IntegratedGradients(model, baseline=given, value_range=(-1, 1), steps=3, rule=rule, at_once=2)
    alphas, weights = {
        "midpoint": ([1 / 6, 3 / 6, 5 / 6], [1 / 3] * 3),
        "trapezoid": ([0, 1 / 3, 2 / 3, 1], [1 / 6, 1 / 3, 1 / 3, 1 / 6]),
    }[rule]
    expected = integrated_gradients(twin(model, 2), IMAGES[0], BASELINES[name], alphas, weights)
    assert np.abs(expected).max() > 0.02
    np.testing.assert_allclose(explainer.attributions(IMAGES[:1], [2])[0], expected, atol=1e-4)


def test_integrated_gradients_are_complete(model):
    gaps = {}
    for steps in (4, 40):
        explainer = IntegratedGradients(model, value_range=(-1, 1), steps=steps)
        gaps[steps] = explainer.completeness_gap(IMAGES, [[2, 0], [1, -1]])
        sums = explainer.raw(IMAGES, [[2, 0], [1, -1]]).sum(axis=(2, 3))
        score = twin(model, 2)
        expected = score(IMAGES[0]) - score(BASELINES["black"])
        np.testing.assert_allclose(sums[0, 0] - gaps[steps][0, 0], expected, atol=1e-5)
        assert gaps[steps][1, 1] == 0 and abs(expected) > 0.5
    # The midpoint rule's error falls with the square of the number of steps.
    np.testing.assert_allclose(gaps[40], gaps[4] / 100, atol=2e-5)
    assert np.abs(gaps[4]).max() > 1e-3


def test_gap_of_the_trapezoid_rule_on_a_square():
    # y = sum x^2 from 0: the trapezoid rule of a linear gradient is exact, and so is the midpoint rule.
    image = keras.Input((2, 2, 1))
    square = keras.Model(image, layers.Flatten()(keras.ops.square(image)))
    images = np.arange(4, dtype="float32").reshape(1, 2, 2, 1)
    for rule in ("midpoint", "trapezoid"):
        explainer = IntegratedGradients(square, steps=1, rule=rule)
        np.testing.assert_allclose(explainer.raw(images, [3]), [[[0, 0], [0, 9]]])
        assert explainer.completeness_gap(images, [3]).tolist() == [0]
    assert ImageGradient(square).attributions(images, [3])[0, 1, 1, 0] == 6


@pytest.mark.parametrize("method", METHODS)
def test_maps_reduce_the_channels(model, explained, method):
    explainer = explained[method]
    signed = explainer.attributions(IMAGES, [[2, 0], [1, -1]])
    assert signed.shape == (2, 2, 6, 7, 2) and signed.dtype == np.float32 and not signed[1, 1].any()
    assert signed.min() < 0 < signed.max()
    by_hand = {
        ImageGradient: np.abs(signed).max(axis=-1),
        SmoothGrad: np.abs(signed).sum(axis=-1),
        IntegratedGradients: signed.sum(axis=-1),
    }[method]
    np.testing.assert_allclose(explainer.raw(IMAGES, [[2, 0], [1, -1]]), by_hand, atol=1e-5)
    maps = explainer(IMAGES, [[2, 0], [1, -1]])
    positive = np.maximum(by_hand, 0)
    np.testing.assert_allclose(maps[0], positive[0] / positive[0].max(axis=(1, 2), keepdims=True), atol=1e-5)
    assert maps.shape == (2, 2, 6, 7) and not maps[1, 1].any()
    single = explainer.attributions(IMAGES, [2, 1])
    assert single.shape == (2, 6, 7, 2)
    np.testing.assert_allclose(single, signed[:, 0], atol=1e-5)


@pytest.mark.parametrize("method", METHODS)
def test_targets_may_be_functions_of_the_output(model, explained, method):
    wanted = [lambda p: keras.ops.log(p[:, 2]), lambda p: keras.ops.log(p[:, 0])]
    found = explained[method].attributions(IMAGES, wanted)
    logits = explained[method].attributions(IMAGES, [[2, 0]] * 2)
    # Differences of log probabilities are those of the logits.
    np.testing.assert_allclose(found[:, 0] - found[:, 1], logits[:, 0] - logits[:, 1], atol=1e-5)
    assert np.abs(found[:, 0] - logits[:, 0]).max() > 1e-3
    np.testing.assert_allclose(explained[method].attributions(IMAGES, wanted[0]), found[:, 0], atol=1e-5)


@pytest.mark.parametrize("method", METHODS)
def test_only_the_image_of_several_inputs_is_varied(method):
    # y_k = gain_k * sum x: the gradient is the other input, which a row of each image carries.
    image, gain = keras.Input((4, 4, 2), name="image"), keras.Input((3,), name="gain")
    model = keras.Model([gain, image], gain * keras.ops.sum(image, axis=(1, 2, 3))[:, None])
    gains = np.array([[1, 2, 3], [4, 5, 6]], "float32")
    images = IMAGES[:, :4, :4]
    options = METHODS[method] | ({"value_range": (-1, 1)} if method is IntegratedGradients else {})
    found = method(model, **options).attributions([gains, images], [1, 2])
    expected = np.array([2, 6])[:, None, None, None] * ((images + 1) if method is IntegratedGradients else 1)
    np.testing.assert_allclose(found, np.broadcast_to(expected, images.shape), rtol=1e-5, atol=1e-5)


class Own(keras.Model):
    def __init__(self):
        super().__init__()
        self.inner = activated()

    def call(self, inputs):
        return keras.ops.log(self.inner(inputs))


@pytest.mark.parametrize("method", METHODS)
def test_subclassed_and_nested_models(model, explained, method):
    own = Own()
    own.inner.set_weights(model.get_weights())
    image = keras.Input((6, 7, 2))
    nested = keras.Model(image, keras.ops.log(model(image)))
    difference = lambda y: y[:, 2] - y[:, 0]  # noqa: E731
    logits = explained[method].attributions(IMAGES, [[2, 0]] * 2)
    for wrapped in (own, nested):
        explainer = method(wrapped, **METHODS[method])
        np.testing.assert_allclose(
            explainer.attributions(IMAGES, difference), logits[:, 0] - logits[:, 1], atol=1e-5
        )
        assert explainer(IMAGES, [2, 0]).shape == (2, 6, 7)


@pytest.mark.parametrize("method", METHODS)
def test_one_trace_serves_all_shapes(any_size, method):
    explainer = any_size[method]
    for _ in range(2):
        for size, batch in ((6, 2), (9, 1), (11, 2), (8, 3)):
            explainer.raw(np.zeros((batch, size, size, 2)), [[0, 1]] * batch)
    (function,) = explainer._functions.values()
    assert function.experimental_get_tracing_count() <= 2


@pytest.mark.parametrize("method", METHODS)
def test_several_scales(any_size, method):
    explainer = any_size[method]
    images = np.random.default_rng(0).uniform(-1, 1, (1, 8, 12, 2)).astype("float32")
    found = MultiScale(explainer, scales=(1.0,), map_stride=1).raw(images, [[0, 2]])
    mirrored = explainer(images[:, :, ::-1], [[0, 2]])[..., ::-1]
    np.testing.assert_allclose(found, explainer(images, [[0, 2]]) + mirrored, atol=1e-5)


@needs_half_precision
@pytest.mark.parametrize("method", METHODS)
def test_mixed_precision(method):
    keras.utils.set_random_seed(1)
    plain = activated((None, None))
    mixed = activated((None, None), dtype="mixed_float16")
    for network in (plain, mixed):  # 62 x 62 cells: gradients of 1e-8, below float16's smallest number
        network.set_weights([w * 3e-2 if w.ndim == 2 else w for w in plain.get_weights()])
    images = np.random.default_rng(0).uniform(-1, 1, (1, 64, 64, 2)).astype("float32")
    expected = method(plain, **METHODS[method]).attributions(images, [1])
    found = method(mixed, **METHODS[method]).attributions(images, [1])
    assert found.dtype == np.float32
    assert np.corrcoef(found.ravel(), expected.ravel())[0, 1] > 0.98


def test_the_model_is_as_it_was(model, explained):
    before, config, weights = model(IMAGES).numpy(), model.to_json(), model.get_weights()
    for explainer in explained.values():
        explainer(IMAGES, [[0, 1]] * 2)
    np.testing.assert_array_equal(model(IMAGES), before)
    assert model.to_json() == config
    for found, expected in zip(model.get_weights(), weights):
        np.testing.assert_array_equal(found, expected)


def test_attributions_that_are_no_numbers(explained):
    with pytest.raises(InputError, match="are not finite numbers: the model"):
        explained[ImageGradient].attributions(IMAGES, lambda y: y[:, 0] * np.nan)


@pytest.mark.parametrize(
    ("method", "options", "message"),
    [
        (ImageGradient, {"layer": "conv"}, "ImageGradient explains the image itself; remove `layer`"),
        (ImageGradient, {"reduction": "larges"}, "did you mean `largest`"),
        (SmoothGrad, {"copies": 0}, "`copies` must be a whole number from 1"),
        (SmoothGrad, {"noise": -0.1}, "`noise` must be a share"),
        (SmoothGrad, {"at_once": 0}, "`at_once` must be a whole number from 1"),
        (SmoothGrad, {"seed": -1}, "`seed` must be a whole number in"),
        (IntegratedGradients, {"steps": 0}, "`steps` must be a whole number from 1"),
        (IntegratedGradients, {"rule": "midpont"}, "did you mean `midpoint`"),
        (IntegratedGradients, {"baseline": "blak"}, "did you mean `black`.*or give a number"),
        (IntegratedGradients, {"baseline": np.zeros((2, 2))}, r"`baseline` must be a number.*got \(2, 2\)"),
        (IntegratedGradients, {"baseline": np.nan}, "finite"),
        (IntegratedGradients, {"value_range": (1, 0)}, "`value_range` must be the values of black and white"),
        (IntegratedGradients, {"at_once": 0}, "`at_once` must be a whole number from 1"),
    ],
)
def test_wrong_options(model, method, options, message):
    with pytest.raises(InputError, match=message):
        method(model, **options)


def test_baseline_of_another_size(model):
    for baseline, wanted in ((np.zeros((5, 7, 2)), r"\(6, 7, 2\)"), ([0, 0, 0], r"\(2,\)")):
        with pytest.raises(InputError, match=rf"`baseline` must be {wanted}"):
            IntegratedGradients(model, baseline=baseline).raw(IMAGES, [0, 1])


def test_score_that_does_not_depend_on_the_image():
    model = small_classifier((9, 11))
    with pytest.raises(InputError, match="does not depend on"):
        ImageGradient(model).raw(np.zeros((1, 9, 11, 3)), lambda y: tf.zeros(tf.shape(y)[:1]))
