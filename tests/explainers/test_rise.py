"""RISE against loops in NumPy, and identities."""

import keras
import numpy as np
import pytest
from examples.explained_models import two_input_classifier, two_inputs
from references.perturbations import TwoInputForward, rise, rise_masks

from wsseg.errors import InputError
from wsseg.explainers.rise import RISE, shifted

SAMPLES, CELLS, PROBABILITY, SEED = 21, (3, 4), 0.4, 5


@pytest.fixture(scope="module")
def model():
    return two_input_classifier()


@pytest.fixture(scope="module")
def inputs():
    return two_inputs()


@pytest.fixture(scope="module")
def masks():
    """By the drawing that is promised: the grids, then the shifts, from one generator."""
    random = np.random.default_rng(SEED)
    grids = random.random((SAMPLES, *CELLS), np.float32) < PROBABILITY
    shifts = random.integers([3, 3], size=(SAMPLES, 2), dtype=np.int32)  # 9 / 3, and 11 / 4 rounded up
    assert len(np.unique(shifts, axis=0)) == 9
    return list(rise_masks((9, 11), grids, shifts))


def explainer(model, **options):
    options = {"samples": SAMPLES, "cells": CELLS, "probability": PROBABILITY, "seed": SEED} | options
    return RISE(model, **options)


def twin(model, inputs, masks, score, **options):
    return np.stack(
        [
            rise(image, lambda x: score(TwoInputForward(model, words), x), masks, PROBABILITY, **options)  # noqa: B023
            for image, words in zip(*inputs)
        ]
    )


def test_masks_of_the_twin_are_masks(masks):
    masks = np.stack(masks)
    assert masks.shape == (SAMPLES, 9, 11) and masks.min() == 0 and masks.max() == 1
    assert len(np.unique(masks.round(6))) > 10  # soft edges


@pytest.mark.parametrize("centred", [False, True])
def test_equals_loops_on_probabilities(model, inputs, masks, centred):
    expected = [
        twin(model, inputs, masks, lambda f, x: f.probabilities(x)[c], centred=centred)  # noqa: B023
        for c in range(3)
    ]
    assert np.abs(expected[0] - expected[1]).max() > 5e-3  # 50 times what is allowed below
    found = explainer(model, centred=centred).raw(inputs, [[0, 1, 2]] * 2)
    np.testing.assert_allclose(found, np.stack(expected, axis=1), atol=1e-4)


def test_callable_and_fill(model, inputs, masks):
    expected = twin(model, inputs, masks, lambda f, x: f.probabilities(x)[1] ** 2, fill=[0.1, 0.9, 0.4])
    found = explainer(model, fill=[0.1, 0.9, 0.4]).raw(inputs, lambda output: output[:, 1] ** 2)
    np.testing.assert_allclose(found, expected, atol=1e-4)


def test_the_same_by_seed(model, inputs):
    first = explainer(model).raw(inputs, [0, 1])
    np.testing.assert_array_equal(explainer(model).raw(inputs, [0, 1]), first)
    assert np.abs(explainer(model, seed=6).raw(inputs, [0, 1]) - first).max() > 1e-3


def test_masks_all_ones_give_the_score_itself(model, inputs):
    found = explainer(model, probability=1.0).raw(inputs, [0, 1])
    scores = np.array([TwoInputForward(model, w).probabilities(x) for x, w in zip(*inputs)])
    np.testing.assert_allclose(
        found, np.broadcast_to(scores[[0, 1], [0, 1], None, None], found.shape), atol=1e-5
    )
    # Equal scores but for their rounding, which differs in the last, smaller chunk on some processors.
    centred = explainer(model, probability=1.0, centred=True).raw(inputs, [0, 1])
    np.testing.assert_allclose(centred, np.zeros_like(centred), atol=1e-6)


def test_enlarging_keeps_ones_and_places_shifts():
    for size, cells in ((9, 3), (11, 4), (7, 7), (224, 7)):
        tables = shifted(size, cells)
        assert tables.shape == (-(-size // cells), size, cells)
        np.testing.assert_allclose(tables.sum(axis=-1), 1)
        np.testing.assert_allclose(tables[1:, :-1], tables[:-1, 1:])  # a shift by one is one pixel further


@pytest.fixture(scope="module")
def bright():
    """The red of one pixel, number (2, 6)."""
    image = keras.Input((8, 8, 3))
    return keras.Model(image, keras.layers.Lambda(lambda x: x[:, 2, 6, :1], output_shape=(1,))(image))


def test_estimate_is_unbiased(bright):
    """The score is the mask at one pixel: the expectation there is E[M^2] / p, and E[M] = p far from it."""
    images = np.ones((1, 8, 8, 3))
    found = RISE(bright, samples=20000, cells=4, probability=0.3).raw(images, [0])[0]
    # Far pixels share no cell: E[M M'] / p = p. Standard error: below 0.3 / sqrt(20000) / 0.3 = 0.007.
    np.testing.assert_allclose(found[6:, :3], 0.3, atol=0.03)
    assert np.unravel_index(found.argmax(), found.shape) == (2, 6)
    assert found[2, 6] > 0.6  # 1 if masks were hard; soft edges lower it
    centred = RISE(bright, samples=20000, cells=4, probability=0.3, centred=True).raw(images, [0])[0]
    np.testing.assert_allclose(centred[6:, :3], 0, atol=0.03)


def test_whole_call_is_stretched_and_the_centred_one_is_cut_at_the_mean_score(model, inputs):
    raw, maps = explainer(model).raw(inputs, [0, 1]), explainer(model)(inputs, [0, 1])
    low, high = raw.min(axis=(1, 2), keepdims=True), raw.max(axis=(1, 2), keepdims=True)
    assert low.min() > 0
    np.testing.assert_allclose(maps, (raw - low) / (high - low), atol=1e-5)
    raw, maps = (
        f(inputs, [0, 1]) for f in (explainer(model, centred=True).raw, explainer(model, centred=True))
    )
    assert raw.min() < 0
    np.testing.assert_allclose(maps, np.maximum(raw, 0) / raw.max(axis=(1, 2), keepdims=True), atol=1e-5)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"samples": 0}, "`samples` must be a whole number from 1; got 0; try 4000"),
        ({"samples": -5}, "`samples` must be .* got -5"),
        ({"cells": 0}, "`cells` must be a whole number from 1"),
        ({"cells": (3, 12)}, r"`cells` is \(3, 12\), more than the image has pixels, \(9, 11\)"),
        ({"probability": 0}, r"`probability` must be a number in \(0, 1\]; got 0; try 0.5"),
        ({"probability": 1.2}, "`probability` must be"),
        ({"probability": "half"}, "`probability` must be"),
        ({"seed": -1}, "`seed` must be a whole number from 0; got -1"),
    ],
)
def test_wrong_options(model, inputs, options, message):
    with pytest.raises(InputError, match=message):
        explainer(model, **options).raw(inputs, [0, 0])
