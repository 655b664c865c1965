"""Occlusion against loops in NumPy, and drops worked by hand."""

import keras
import numpy as np
import pytest
from examples.explained_models import two_input_classifier, two_inputs
from references.perturbations import TwoInputForward, occlusion

from wsseg.errors import InputError
from wsseg.explainers.occlusion import Occlusion


@pytest.fixture(scope="module")
def model():
    return two_input_classifier()


@pytest.fixture(scope="module")
def inputs():
    return two_inputs()


def twin(model, inputs, score, *options):
    return np.stack(
        [
            occlusion(image, lambda x: score(TwoInputForward(model, words), x), *options[:3], fill)  # noqa: B023
            for image, words, fill in zip(*inputs, options[3])
        ]
    )


TARGETS = {
    "classes": ([[0, 1, 2]] * 2, lambda f, x: f.logits(x)),
    "callable": (lambda output: output**2, lambda f, x: f.probabilities(x) ** 2),
}


@pytest.mark.parametrize("kind", TARGETS)
def test_equals_loops(model, inputs, kind):
    targets, score = TARGETS[kind]
    mean = inputs[0].astype(float).mean(axis=(1, 2))
    # 9 x 11 pixels; windows of 4 x 3 every 3 x 2: the last row of windows is put at the border, 9 - 4.
    options = ([0, 3, 5], [0, 2, 4, 6, 8], (4, 3), mean)
    expected = [twin(model, inputs, lambda f, x: score(f, x)[c], *options) for c in range(3)]  # noqa: B023
    found = Occlusion(model, window=(4, 3), stride=(3, 2)).raw(inputs, targets)
    assert np.min(expected) < -1e-2 and np.max(expected) > 1e-2  # drops of both signs
    np.testing.assert_allclose(found, np.stack(expected, axis=1), atol=1e-4)


@pytest.mark.parametrize("fill", [0, 0.7, [0.1, 0.5, 0.9]])
def test_fill(model, inputs, fill):
    options = ([0, 4], [0, 5, 6], (5, 5), [fill] * 2)
    expected = twin(model, inputs, lambda f, x: f.logits(x)[1], *options)
    found = Occlusion(model, window=5, stride=5, fill=fill).raw(inputs, [1, 1])
    np.testing.assert_allclose(found, expected, atol=1e-4)


@pytest.fixture(scope="module")
def total():
    """The sum of the pixels."""
    image = keras.Input((None, None, 1))
    return keras.Model(image, keras.ops.sum(image, axis=(1, 2)))


def test_drops_by_hand(total):
    image = np.zeros((1, 4, 4, 1))
    image[0, 0, 0, 0], image[0, 3, 1, 0] = 8, 4
    found = Occlusion(total, window=2, stride=2, fill=0).raw(image, [0])[0]
    np.testing.assert_allclose(found, np.repeat(np.repeat([[8, 0], [4, 0]], 2, 0), 2, 1), atol=1e-5)
    # Every pixel: windows at 0, 1 and 2. Row 0 is covered by those at 0 only; 8 drops with the window at (0, 0).
    found = Occlusion(total, window=2, stride=1, fill=0).raw(image, [0])[0]
    assert found[0, 0] == pytest.approx(8) and found[0, 1] == pytest.approx(4)
    assert (
        found[1, 1] == pytest.approx(2)
        and found[2, 2] == pytest.approx(1)
        and found[1, 3] == pytest.approx(0)
    )


def test_window_of_the_whole_image_and_of_one_pixel(total):
    image = np.random.default_rng(0).uniform(0, 1, (1, 3, 5, 1))
    found = Occlusion(total, window=(3, 5), fill=0).raw(image, [0])
    np.testing.assert_allclose(found, np.full((1, 3, 5), image.sum()), rtol=1e-5)
    np.testing.assert_allclose(
        Occlusion(total, window=1, fill=0).raw(image, [0])[0], image[0, ..., 0], atol=1e-5
    )


def test_default_window_is_a_seventh_and_moves_by_half(total):
    image = np.random.default_rng(0).uniform(0, 1, (1, 28, 35, 1))
    np.testing.assert_array_equal(
        Occlusion(total).raw(image, [0]), Occlusion(total, window=4, stride=2).raw(image, [0])
    )


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"window": 10}, r"`window` is \(10, 10\) .height, width., larger than the image, \(9, 11\); try 1"),
        ({"window": (4, 12)}, r"`window` is \(4, 12\)"),
        ({"window": 0}, "`window` must be a whole number from 1; got 0; try 32"),
        ({"window": 2.5}, "`window` must be a whole number"),
        ({"window": (2, 3, 4)}, r"`window` must be one number, or \(height, width\)"),
        ({"stride": 0}, "`stride` must be a whole number from 1; got 0; try half the window"),
        ({"window": 3, "stride": (2, 4)}, r"`stride` is \(2, 4\) .*larger than the window, \(3, 3\)"),
        ({"stride": 5}, r"`stride` is \(5, 5\) .*larger than the window, \(1, 1\)"),
    ],
)
def test_wrong_options(model, inputs, options, message):
    with pytest.raises(InputError, match=message):
        Occlusion(model, **options).raw(inputs, [0, 0])
