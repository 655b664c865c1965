"""A word of a caption, and a whole caption: the scores in NumPy, their gradients, and where the maps lie."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from examples.colour_networks import half_captioner, painted
from keras import layers
from references.class_maps import convolution_relu, numeric_gradient
from references.target_scores import log_probability, log_probability_gradient

from wsseg.errors import InputError
from wsseg.explainers.grad_cam import GradCAM
from wsseg.explainers.hires_cam import HiResCAM
from wsseg.explainers.network import Outputs
from wsseg.explainers.targets import Caption, CaptionToken

LOGITS = np.random.default_rng(0).normal(0, 2, (2, 3, 5)).astype("float32")


def of(logits, values=None):
    return Outputs(logits if values is None else values, logits, ("words",))


def score(target, outputs, own=False):
    return keras.ops.convert_to_numpy(target.evaluate(outputs, target.arrays, own, None))


@pytest.mark.parametrize(("step", "token"), [(1, 4), ([0, 2], 3), (2, [1, 0]), ([2, 1], [4, 2])])
def test_a_word_equals_the_loops(step, token):
    steps, tokens = np.broadcast_to(step, 2), np.broadcast_to(token, 2)
    expected = np.array([[log_probability(LOGITS[i, steps[i]], tokens[i])] for i in range(2)])
    probabilities = keras.ops.softmax(LOGITS)
    np.testing.assert_allclose(score(CaptionToken(step, token), of(LOGITS)), expected, atol=1e-5)
    np.testing.assert_allclose(
        score(CaptionToken(step, token, logits=False), of(probabilities)), expected, atol=1e-5
    )
    own = score(CaptionToken(step, token), of(LOGITS, probabilities), own=True)
    np.testing.assert_allclose(own, np.exp(expected), atol=1e-6)


def test_a_caption_sums_its_words():
    tokens = [[1, 4, 0], [2, 3, -1]]
    expected = [
        [sum(log_probability(LOGITS[i, s], token) for s, token in enumerate(row) if token >= 0)]
        for i, row in enumerate(tokens)
    ]
    np.testing.assert_allclose(score(Caption(tokens), of(LOGITS)), expected, atol=1e-5)
    np.testing.assert_allclose(score(Caption(tokens), of(LOGITS), own=True), np.exp(expected), atol=1e-6)
    # Fewer steps than the output, and the same for all images.
    first = score(CaptionToken(0, 2), of(LOGITS)) + score(CaptionToken(1, 1), of(LOGITS))
    np.testing.assert_allclose(score(Caption([2, 1]), of(LOGITS)), first, atol=1e-5)


@pytest.mark.parametrize("sure", [1, 30, 60])
def test_gradient_where_the_model_is_sure(sure):
    logits = np.array([[[0.5, -1.0, 0.0, sure]]], "float32")
    with tf.GradientTape() as tape:
        position = tf.constant(logits)
        tape.watch(position)
        found = CaptionToken(0, 3).evaluate(of(position), (np.array([0]), np.array([3])), False, None)
    gradient = tape.gradient(found, position).numpy()[0, 0]
    # At 30 a log-softmax has 0 for the word itself, where the others together have -3e-13.
    np.testing.assert_allclose(gradient, log_probability_gradient(logits[0, 0], 3), rtol=1e-4)


@pytest.fixture(scope="module")
def model():
    """Images -> features -> flatten, tanh -> (B, 2, 3) words: the last layer has no softmax."""
    keras.utils.set_random_seed(0)
    image = keras.Input((9, 9, 3))
    tensor = layers.Conv2D(4, 3, strides=2, activation="relu", name="features")(image)
    tensor = layers.Dense(5, activation="tanh", bias_initializer="uniform", name="hidden")(
        layers.Flatten()(tensor)
    )
    return keras.Model(image, layers.Reshape((2, 3))(layers.Dense(6, name="last")(tensor)))


def twin(model, image, step, token):
    """HiResCAM by finite differences in float64."""
    kernel, bias = model.get_layer("features").get_weights()
    hidden, hidden_bias = (w.astype(float) for w in model.get_layer("hidden").get_weights())
    last, last_bias = (w.astype(float) for w in model.get_layer("last").get_weights())

    def of_features(features):
        words = (np.tanh(features.ravel() @ hidden + hidden_bias) @ last + last_bias).reshape(2, 3)
        return log_probability(words[step], token)

    features = convolution_relu(image, kernel, bias, 2)
    return (features * numeric_gradient(of_features, features)).sum(axis=-1)


def test_maps_equal_finite_differences_without_a_new_trace(model):
    images = np.random.default_rng(1).uniform(0, 1, (2, 9, 9, 3)).astype("float32")
    explainer = HiResCAM(model)
    for step, token in (([0, 1], [2, 0]), ([1, 1], [1, 2])):
        expected = [twin(model, images[i], step[i], token[i]) for i in range(2)]
        assert np.abs(expected).max() > 1e-2
        np.testing.assert_allclose(explainer.raw(images, CaptionToken(step, token)), expected, atol=1e-5)
    (function,) = explainer._functions.values()
    assert function.experimental_get_tracing_count() == 1


@pytest.fixture(scope="module")
def halves():
    return HiResCAM(half_captioner(), layer="features")


def test_a_word_is_found_where_its_step_looks(halves):
    left, right = (slice(1, 4), slice(0, 2)), (slice(5, 8), slice(6, 8))
    image = painted(red=[left, right])
    for step, (place, other) in enumerate(((left, right), (right, left))):
        map_ = halves.raw(image, CaptionToken(step, 0))[0]
        assert map_[place].min() > 0.01 and not map_[other].any()
        assert map_[place].sum() == pytest.approx(map_.sum(), rel=1e-5)
    both = halves.raw(image, [CaptionToken(0, 0), CaptionToken(1, 0), Caption([0, 0])])[0]
    np.testing.assert_allclose(both[2], both[0] + both[1], atol=1e-5)


def test_grad_cam_finds_the_words_colour():
    red, blue = (slice(0, 3), slice(0, 2)), (slice(4, 8), slice(1, 3))
    image, explainer = painted(red=red, blue=blue), GradCAM(half_captioner(), layer="features")
    for token, place in ((0, red), (2, blue)):
        map_ = explainer(image, CaptionToken(0, token))[0]
        assert map_[place].min() == pytest.approx(1) and map_[place].sum() == pytest.approx(
            map_.sum(), rel=1e-4
        )


@pytest.mark.parametrize(
    ("target", "message"),
    [
        (lambda: CaptionToken(2, 0), "`step` must be from 0 to 1, since the output has 2 steps; got 2"),
        (lambda: CaptionToken(0, 3), "`token` must be from 0 to 2, since the output has 3 words; got 3"),
        (lambda: CaptionToken(-1, 0), "`step` must be a whole number from 0.*got -1"),
        (lambda: CaptionToken([[0]], 0), "`step` must be a whole number from 0"),
        (lambda: CaptionToken(0.5, 0), "`step` must be a whole number"),
        (lambda: Caption([0, 1, 2]), "`tokens` has 3 steps, but the output has only 2"),
        (lambda: Caption([0, 3]), "`tokens` must be from 0 to 2"),
        (lambda: Caption([[0, 1], [-1, -1]]), "`tokens` has no word in caption number 1"),
        (lambda: Caption([0.5]), r"`tokens` must be \(B, S\) whole numbers"),
        (lambda: Caption([-2]), r"`tokens` must be \(B, S\) whole numbers"),
    ],
)
def test_wrong_steps_and_words(model, target, message):
    with pytest.raises(InputError, match=message):
        GradCAM(model).raw(np.zeros((2, 9, 9, 3)), target())


def test_an_output_that_is_no_caption(model):
    flat = keras.Model(model.input, layers.Flatten()(model.output))
    with pytest.raises(
        InputError, match=r"need an output \(batch, steps, vocabulary\), but this one is .*6.*ClassS"
    ):
        GradCAM(flat).raw(np.zeros((2, 9, 9, 3)), CaptionToken(0, 0))
