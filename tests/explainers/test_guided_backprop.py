"""Guided backpropagation and guided Grad-CAM against a backward pass by hand in float64."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from examples.half_precision import needs_half_precision
from keras import layers
from references.class_maps import grad_cam, placed
from references.image_gradients import convolution, rectified, two_convolutions

from wsseg.errors import InputError
from wsseg.explainers.guided_backprop import GuidedBackprop
from wsseg.explainers.guided_grad_cam import GuidedGradCAM
from wsseg.explainers.image_gradient import ImageGradient
from wsseg.explainers.multi_scale import MultiScale

IMAGES = np.random.default_rng(0).uniform(-1, 1, (2, 8, 9, 2)).astype("float32")

SECOND = {
    "layer": (lambda: layers.ReLU(), {}),
    "ReLU6": (lambda: layers.ReLU(max_value=6), {"ceiling": 6}),
    "lower ceiling": (lambda: layers.ReLU(max_value=1.5), {"ceiling": 1.5}),
    "negative slope": (lambda: layers.ReLU(negative_slope=0.3), {"slope": 0.3}),
    "slope and ceiling": (lambda: layers.ReLU(1.5, 0.3), {"slope": 0.3, "ceiling": 1.5}),
    "threshold": (lambda: layers.ReLU(threshold=3.0), {"threshold": 3.0}),
    "leaky": (lambda: layers.LeakyReLU(0.2), {"slope": 0.2}),
    "learnt slope": (
        lambda: layers.PReLU(alpha_initializer=keras.initializers.Constant(0.25)),
        {"slope": 0.25},
    ),
    "activation layer": (lambda: layers.Activation("relu"), {}),
    "relu6 by name": (lambda: layers.Activation("relu6"), {"ceiling": 6}),
    "operation": (lambda: keras.ops.relu, {}),
    "operation relu6": (lambda: keras.ops.relu6, {"ceiling": 6}),
    "operation leaky": (lambda: lambda x: keras.ops.leaky_relu(x, 0.3), {"slope": 0.3}),
    "function": (lambda: lambda x: keras.activations.relu(x, threshold=3.0), {"threshold": 3.0}),
    "own layer": (lambda: Own(), {}),
    "nested": (lambda: keras.Sequential([keras.Input((3, 3, 4)), layers.ReLU()]), {}),
}


class Own(layers.Layer):
    def call(self, inputs):
        return tf.nn.relu(inputs)


def network(second=None, size_hw=(8, 9), dtype=None):
    """Return convolution with ReLU inside, convolution of stride 2, `second`, flatten (or pool), dense."""
    image = keras.Input((*size_hw, 2))
    options = {"bias_initializer": "normal", "dtype": dtype}
    tensor = layers.Conv2D(3, 3, activation="relu", name="first", **options)(image)
    tensor = layers.Conv2D(4, 2, strides=2, name="second", **options)(tensor)
    tensor = (second or layers.ReLU(name="features"))(tensor)
    tensor = layers.GlobalAveragePooling2D()(tensor) if None in size_hw else layers.Flatten()(tensor)
    return keras.Model(image, layers.Dense(3, name="dense", dtype=dtype)(tensor))


@pytest.fixture(scope="module")
def model():
    keras.utils.set_random_seed(2)
    found = network()
    strengthen(found)
    return found


def strengthen(found):
    """Make values that reach ReLU6's ceiling."""
    found.get_layer("second").kernel.assign(found.get_layer("second").kernel * 30)


def pairs(found):
    return [
        tuple(w.astype(float) for w in found.get_layer(n).get_weights()) for n in ("first", "second", "dense")
    ]


@pytest.mark.parametrize("name", SECOND)
def test_equals_a_backward_pass_by_hand(name):
    make, options = SECOND[name]
    found = network(make())
    strengthen(found)
    before, config, calls = (
        found(IMAGES).numpy(),
        found.to_json(),
        [vars(x).get("call") for x in found.operations],
    )
    explainer = GuidedBackprop(found)
    attributions = explainer.attributions(IMAGES[:1], [1])[0]
    assert explainer.relus == 2
    score, expected = two_convolutions(IMAGES[0], *pairs(found), 1, options, guided=True)
    np.testing.assert_allclose(before[0, 1], score, rtol=1e-5)
    np.testing.assert_allclose(attributions, expected, atol=1e-4 * np.abs(expected).max())
    others = [two_convolutions(IMAGES[0], *pairs(found), 1, options, guided=False)[1]]  # the plain gradient
    if options:  # the ceiling, slope or threshold matters
        others.append(two_convolutions(IMAGES[0], *pairs(found), 1, {}, guided=True)[1])
    for other in others:
        assert np.abs(other - expected).max() > 1e-2 * np.abs(expected).max()
    # The model is as it was.
    np.testing.assert_array_equal(found(IMAGES), before)
    assert found.to_json() == config and [vars(x).get("call") for x in found.operations] == calls


def test_the_twin_without_guidance_is_the_plain_gradient(model):
    expected = [two_convolutions(x, *pairs(model), k, {}, guided=False)[1] for x, k in zip(IMAGES, (1, 2))]
    found = ImageGradient(model).attributions(IMAGES, [1, 2])
    np.testing.assert_allclose(found, expected, atol=1e-4 * np.abs(expected).max())


def test_gradient_that_is_positive_everywhere_is_the_gradient(model):
    positive = keras.models.clone_model(model)
    positive.set_weights([np.abs(w) for w in model.get_weights()])
    expected = ImageGradient(positive).attributions(IMAGES, [1, 2])
    assert expected.max() > 0.1
    np.testing.assert_allclose(GuidedBackprop(positive).attributions(IMAGES, [1, 2]), expected, rtol=1e-5)


class Subclassed(keras.Model):
    def __init__(self, inner, fails=False):
        super().__init__()
        self.parts = [inner.get_layer(n) for n in ("first", "second", "features", "dense")]
        self.flat, self.fails = layers.Flatten(), fails

    def call(self, inputs):
        first, second, relu, dense = self.parts
        tensor = relu(second(first(inputs)))
        if self.fails and self.built and not tf.executing_eagerly():
            raise RuntimeError("as asked")
        return dense(self.flat(tensor))


@pytest.mark.parametrize("targets", [[1, 2], [[1, 2], [0, -1]]])
def test_subclassed_nested_and_functional_models_agree(model, targets):
    expected = GuidedBackprop(model).attributions(IMAGES, targets)
    image = keras.Input((8, 9, 2))
    nested = keras.Model(image, layers.Activation("softmax")(model(image)))
    assert np.abs(expected).max() > 0.1
    for other in (Subclassed(model), nested):
        explainer = GuidedBackprop(other)
        np.testing.assert_allclose(explainer.attributions(IMAGES, targets), expected, rtol=1e-4, atol=1e-5)
        assert explainer.relus == 2


def test_layers_are_restored_after_an_error(model):
    with pytest.raises(RuntimeError, match="as asked"):
        GuidedBackprop(Subclassed(model, fails=True)).raw(IMAGES, [0, 1])
    assert "call" not in vars(model.get_layer("features"))


def test_targets_may_be_functions_of_the_output(model):
    explainer = GuidedBackprop(model)
    expected = explainer.attributions(IMAGES, [[1, 2]] * 2)
    found = explainer.attributions(IMAGES, [lambda y: y[:, 1], lambda y: y[:, 2]])
    np.testing.assert_allclose(found, expected, atol=5e-5)  # values up to 6


def test_only_relus_before_the_score_count():
    image, words = keras.Input((8, 9, 2)), keras.Input((3,))
    read = layers.Dense(4, activation="relu")(words)
    seen = layers.GlobalAveragePooling2D()(layers.Conv2D(4, 3, activation="relu")(image))
    joined = layers.Dense(2, name="a")(seen * read)
    found = keras.Model([image, words], {"a": joined, "b": layers.Dense(2, activation="relu")(joined)})
    explainer = GuidedBackprop(found, output="a")
    questions = np.ones((2, 3), "float32")
    assert explainer([IMAGES, questions], [0, 1]).shape == (2, 8, 9)
    assert explainer.relus == 1
    with pytest.raises(InputError, match="does not depend on the image"):
        explainer.raw([IMAGES, questions], lambda y: tf.zeros([2]))


def test_resnet50_has_all_its_relus_guided():
    resnet = keras.applications.ResNet50(weights=None, classes=3, input_shape=(32, 32, 3))
    explainer = GuidedBackprop(resnet)
    # Traced, not run.
    traced = tf.function(
        lambda x: explainer.maps([x], lambda outputs: outputs.logits[:, 1:2]), autograph=False
    )
    traced.get_concrete_function(tf.TensorSpec((1, 32, 32, 3)))
    # The stem's one and three of each of 3 + 4 + 6 + 3 blocks.
    assert explainer.relus == 49
    assert sum(type(x).__name__ == "Activation" for x in resnet.layers) == 49


@pytest.mark.parametrize(("activation", "known"), [("swish", "silu"), ("gelu", "gelu")])
def test_model_without_a_relu(activation, known):
    image = keras.Input((8, 9, 2))
    tensor = layers.Activation(activation)(layers.Conv2D(3, 3, activation=activation)(image))
    found = keras.Model(image, layers.Dense(2, activation="softmax")(layers.GlobalAveragePooling2D()(tensor)))
    message = (
        rf"needs ReLUs.*`{found.name}` has none.*activations: {known} \(2\), softmax \(1\); use `smooth_grad`"
    )
    for method in (GuidedBackprop, GuidedGradCAM):
        with pytest.raises(InputError, match=message):
            method(found)(IMAGES, [0, 1])


class Compiled(layers.Layer):
    @tf.function
    def call(self, inputs):
        return tf.nn.relu(inputs)


def test_relu_in_a_function_compiled_by_itself_is_refused():
    with pytest.raises(InputError, match=r"has a ReLU inside `.*call.*`, a separately compiled function"):
        GuidedBackprop(network(Compiled())).raw(IMAGES, [0, 1])


@needs_half_precision
def test_mixed_precision():
    keras.utils.set_random_seed(2)
    plain, mixed = network(size_hw=(None, None)), network(size_hw=(None, None), dtype="mixed_float16")
    weights = [w * 3e-2 if w.shape == (4, 3) else w for w in plain.get_weights()]
    for found in (plain, mixed):
        found.set_weights(weights)
    images = np.random.default_rng(0).uniform(-1, 1, (1, 64, 64, 2)).astype("float32")
    expected, half = (GuidedBackprop(found).attributions(images, [1]) for found in (plain, mixed))
    assert half.dtype == np.float32 and np.abs(expected).max() > 0
    assert np.corrcoef(half.ravel(), expected.ravel())[0, 1] > 0.98


def guided_cam(model, image, target):
    """Guided Grad-CAM of `network()`, without Keras: the gradient and the product by hand."""
    first, second, last = pairs(model)
    features = rectified(convolution(rectified(convolution(image, *first)), *second, stride=2))
    cam = grad_cam(features, lambda x: x.ravel() @ last[0][:, target] + last[1][target])
    _, guided = two_convolutions(image, first, second, last, target, {}, guided=True)
    # Cells of stride 2; the middles of a 3x3 and a 2x2 window: cell 0 looks at pixel 1.5.
    return guided * placed(cam, range(8), range(9), 2, 1.5)[..., None]


def test_guided_grad_cam_equals_the_product_by_hand(model):
    explainer = GuidedGradCAM(model)
    assert explainer.layer == "features" and explainer.grid.centre_hw == (1.5, 1.5)
    found = explainer.attributions(IMAGES, [[0, 1, 2]] * 2)
    for row, image in zip(found, IMAGES):
        for target, attributions in enumerate(row):
            expected = guided_cam(model, image, target)
            np.testing.assert_allclose(attributions, expected, atol=1e-4 * max(1, np.abs(expected).max()))
    assert (np.abs(found).max(axis=(2, 3, 4)) > 0.05).sum() >= 3
    maps = explainer(IMAGES, [[0, 1, 2]] * 2)
    expected = np.abs(found).max(axis=-1)
    peak = expected.max(axis=(2, 3), keepdims=True)
    np.testing.assert_allclose(maps, np.divide(expected, peak, where=peak > 0, out=0 * expected), atol=1e-5)


def test_guided_grad_cam_of_a_subclassed_model(model):
    explainer = GuidedGradCAM(Subclassed(model), layer="features")
    expected = GuidedGradCAM(model, layer="features").attributions(IMAGES, [0, 2])
    assert np.abs(expected).max() > 0.05
    found = explainer.attributions(IMAGES, [0, 2])
    np.testing.assert_allclose(found, expected, atol=1e-4 * max(1, np.abs(expected).max()))
    assert explainer(IMAGES, [0, 2]).shape == (2, 8, 9)


@pytest.mark.parametrize("method", [GuidedBackprop, GuidedGradCAM])
def test_one_trace_serves_all_shapes_and_scales(method):
    keras.utils.set_random_seed(2)
    explainer = method(network(size_hw=(None, None)))
    for _ in range(2):
        for size, batch in ((8, 2), (12, 1), (14, 2), (10, 3)):
            explainer.raw(np.zeros((batch, size, size, 2)), [[0, 1]] * batch)
    (function,) = explainer._functions.values()
    assert function.experimental_get_tracing_count() <= 2
    images = np.random.default_rng(0).uniform(-1, 1, (1, 8, 12, 2)).astype("float32")
    found = MultiScale(explainer, scales=(1.0,), flip=False, map_stride=1).raw(images, [[0, 2]])
    assert found.max() > 0.1
    np.testing.assert_allclose(found, explainer(images, [[0, 2]]), atol=1e-5)


def test_guided_grad_cam_takes_a_layer_and_guided_backprop_none(model):
    assert GuidedGradCAM(model, layer="first").layer == "first"
    with pytest.raises(InputError, match="`layer` is 'first', but GuidedBackprop explains the image itself"):
        GuidedBackprop(model, layer="first")
