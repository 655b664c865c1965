"""Score-CAM against loops in NumPy."""

import numpy as np
import pytest
from examples.explained_models import two_input_classifier, two_inputs
from references.perturbations import TwoInputForward, score_cam

from wsseg.errors import InputError
from wsseg.explainers.score_cam import ScoreCAM


@pytest.fixture(scope="module")
def model():
    return two_input_classifier()


@pytest.fixture(scope="module")
def inputs():
    return two_inputs()


def twin(model, inputs, score, **options):
    """Maps of a function (forward, image) -> score, `(B, h, w)`."""
    result = []
    for image, words in zip(*inputs):
        forward = TwoInputForward(model, words)
        features = forward.features(image)
        result.append(score_cam(image, features, lambda x: score(forward, x), 2, 1, **options))  # noqa: B023
    return np.stack(result)


def test_softmax_of_logits_by_default(model, inputs):
    expected = [twin(model, inputs, lambda f, x: f.logits(x)[c]) for c in range(3)]  # noqa: B023
    found = ScoreCAM(model).raw(inputs, [[0, 1, 2]] * 2)
    assert np.abs(expected[0] - expected[1]).max() > 1e-2  # the classes differ
    np.testing.assert_allclose(found, np.stack(expected, axis=1), atol=1e-4)


def test_callable_on_the_models_output(model, inputs):
    expected = twin(model, inputs, lambda f, x: f.probabilities(x)[1] ** 2)
    np.testing.assert_allclose(ScoreCAM(model).raw(inputs, lambda y: y[:, 1] ** 2), expected, atol=1e-4)


def test_increase_is_of_the_models_own_output(model, inputs):
    found = ScoreCAM(model, weights="increase").raw(inputs, [[0, 1, 2]] * 2)
    expected = [
        twin(model, inputs, lambda f, x: f.probabilities(x)[c], softmax=False)  # noqa: B023
        for c in range(3)
    ]
    assert np.max(expected) > 1e-2
    np.testing.assert_allclose(found, np.stack(expected, axis=1), atol=1e-4)


def test_baseline_of_another_colour(model, inputs):
    colour = [0.2, 0.9, 0.5]
    expected = twin(model, inputs, lambda f, x: f.logits(x)[0], fill=colour)
    assert np.abs(expected - twin(model, inputs, lambda f, x: f.logits(x)[0])).max() > 1e-3
    np.testing.assert_allclose(ScoreCAM(model, fill=colour).raw(inputs, [0, 0]), expected, atol=1e-4)


def test_channels_of_the_largest_variance(model, inputs):
    # Of the six channels two are constant, so with five one of these is used.
    for k in (1, 3, 5):
        expected = []
        for image, words in zip(*inputs):
            forward = TwoInputForward(model, words)
            features = forward.features(image)
            order = sorted(range(6), key=lambda c: -features[..., c].var())
            expected.append(
                score_cam(image, features, lambda x: forward.logits(x)[2], 2, 1, channels=order[:k])  # noqa: B023
            )
        np.testing.assert_allclose(ScoreCAM(model, channels=k).raw(inputs, [2, 2]), expected, atol=1e-4)
    every = ScoreCAM(model).raw(inputs, [2, 2])
    np.testing.assert_array_equal(ScoreCAM(model, channels=99).raw(inputs, [2, 2]), every)


def test_constant_channels_need_no_pass(model, inputs):
    explainer, counts = ScoreCAM(model), []
    scores = explainer.scores
    explainer.scores = lambda *args, **options: counts.append(len(args[2][0])) or scores(*args, **options)
    explainer.raw(inputs, [0, 0])
    assert counts == [5, 5]  # four of six channels vary, and the baseline


def test_image_that_no_channel_varies_on(model):
    images, words = np.zeros((1, 9, 11, 3)), np.zeros((1, 2))
    # Every channel is constant: all increases are 0, the softmax is even, and only number 5, 0.5 everywhere, shows.
    bias = model.get_layer("features").get_weights()[1]
    expected = np.maximum(bias, 0).mean()
    found = ScoreCAM(model).raw([images, words], [0])
    np.testing.assert_allclose(found, np.full((1, 4, 5), expected), atol=1e-6)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"weights": "logits"}, "`weights` must be one of softmax, increase; got 'logits'"),
        ({"channels": 0}, "`channels` must be a whole number from 1; got 0; remove it"),
        ({"channels": 2.5}, "`channels` must be a whole number"),
    ],
)
def test_wrong_options(model, options, message):
    with pytest.raises(InputError, match=message):
        ScoreCAM(model, **options)
