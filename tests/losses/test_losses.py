"""Each loss against its slow twin, and what all have in common: nothing of ignored pixels counts."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from references import losses as twins

from wsseg import losses
from wsseg.errors import InputError

RANDOM = np.random.default_rng(0)
LOGITS = RANDOM.normal(0, 2, (3, 4, 5, 4)).astype("float32")
MASKS = RANDOM.choice([0, 0, 0, 1, 2, 255], (3, 4, 5))
MASKS[1] = np.where(MASKS[1] == 2, 255, MASKS[1])  # class 3 nowhere, class 2 not in all images
MASKS[2] = 255
LABELS = np.array([[1, 1, 0, 0], [0, 0, 0, 1], [1, 1, 1, 1]], "float32")
SHARPENED = np.where(MASKS[..., None] == 255, 0, RANDOM.dirichlet(np.ones(4), MASKS.shape))
SHARPENED[0, 0, 0] = [0, 1, 0, 0]
WEIGHTS = RANDOM.uniform(0, 5, MASKS.shape)
DISTANCES = RANDOM.normal(0, 4, (*MASKS.shape, 3))


def with_maps(maps):
    return np.concatenate([MASKS[..., None], maps.reshape(*MASKS.shape, -1)], -1)


CASES = {
    "cross_entropy": ({}, MASKS, lambda x: twins.cross_entropy(MASKS, x)),
    "focal": ({"gamma": 2}, MASKS, lambda x: twins.focal(MASKS, x, 2, [1] * 4)),
    "focal alpha": (
        {"gamma": 0.5, "alpha": [0.1, 1, 2, 3]},
        MASKS,
        lambda x: twins.focal(MASKS, x, 0.5, [0.1, 1, 2, 3]),
    ),
    "generalised_cross_entropy": ({}, MASKS, lambda x: twins.generalised_cross_entropy(MASKS, x, 0.7)),
    "symmetric_cross_entropy": (
        {"alpha": 0.5, "beta": 2, "log_zero": -6},
        MASKS,
        lambda x: twins.symmetric_cross_entropy(MASKS, x, 0.5, 2, -6),
    ),
    "bootstrapping": ({}, MASKS, lambda x: twins.bootstrapping(MASKS, x, True, 0.8)),
    "bootstrapping soft": ({"hard": False}, MASKS, lambda x: twins.bootstrapping(MASKS, x, False, 0.95)),
    "dice": ({}, MASKS, lambda x: twins.dice(MASKS, x, "present")),
    "dice all": ({"classes": "all"}, MASKS, lambda x: twins.dice(MASKS, x, "all")),
    "lovasz_softmax": ({}, MASKS, lambda x: twins.lovasz_softmax(MASKS, x, "present")),
    "lovasz_softmax all": ({"classes": "all"}, MASKS, lambda x: twins.lovasz_softmax(MASKS, x, "all")),
    "lovasz_softmax images": (
        {"per_image": True},
        MASKS,
        lambda x: np.mean([twins.lovasz_softmax(MASKS[i : i + 1], x[i : i + 1], "present") for i in (0, 1)]),
    ),
    "seed": ({}, MASKS, lambda x: twins.seed(MASKS, x)),
    "constrain_to_boundary": ({}, SHARPENED, lambda x: twins.constrain_to_boundary(SHARPENED, x)),
    "weight_map": (
        {},
        with_maps(WEIGHTS),
        lambda x: twins.weighted_cross_entropy(MASKS, WEIGHTS, x),
    ),
    "boundary": ({}, with_maps(DISTANCES), lambda x: twins.boundary(MASKS, DISTANCES, x, 0.01, 1)),
    "boundary alone": (
        {"alpha": 2, "cross_entropy": 0},
        with_maps(DISTANCES),
        lambda x: twins.boundary(MASKS, DISTANCES, x, 2, 0),
    ),
    "expansion": (
        {"cells": None},
        LABELS,
        lambda x: twins.expansion(LABELS, x, 0.996, 0, 0.999),
    ),
    "expansion decays": (
        {"present": 0.7, "absent": 0.2, "background": 1, "cells": None},
        LABELS,
        lambda x: twins.expansion(LABELS, x, 0.7, 0.2, 1),
    ),
}
NAMES = [name for name in CASES if "expansion" not in name]  # whose targets say which pixels count


def make(case):
    options, targets, _ = CASES[case]
    return losses.create(case.split()[0], **options), targets


def gradient(loss, targets, logits=LOGITS):
    logits = tf.Variable(logits)
    with tf.GradientTape() as tape:
        value = loss(targets, logits)
    return float(value), tape.gradient(value, logits).numpy()


def test_all_losses_are_here():
    assert {case.split()[0] for case in CASES} | {"balanced"} == set(
        losses.LOSSES
    )  # balanced: a file of its own
    assert {255, 0, 1, 2} == set(MASKS.ravel().tolist())


@pytest.mark.parametrize("case", CASES)
def test_equals_the_twin(case):
    loss, targets = make(case)
    assert float(loss(targets, LOGITS)) == pytest.approx(CASES[case][2](LOGITS), rel=1e-5)


@pytest.mark.parametrize("case", CASES)
def test_gradient_is_that_of_the_twin(case):
    loss, targets = make(case)
    _, found = gradient(loss, targets)
    direction = np.random.default_rng(1).normal(0, 1, LOGITS.shape)
    # Twice as flat a slope elsewhere would show: the directional derivative, by central differences.
    step = 1e-5
    high, low = (CASES[case][2](LOGITS.astype(float) + sign * step * direction) for sign in (1, -1))
    assert (found * direction).sum() == pytest.approx((high - low) / (2 * step), rel=2e-3, abs=1e-6)


@pytest.mark.parametrize("case", NAMES)
def test_ignored_pixels_have_no_gradient_whatever_they_hold(case):
    loss, targets = make(case)
    value, found = gradient(loss, targets)
    ignored = MASKS == 255
    assert not found[ignored].any() and (np.abs(found[~ignored]).max(-1) > 0).all()
    changed = LOGITS.copy()
    changed[ignored] = np.nan
    again, found_again = gradient(loss, targets, changed)
    assert again == value
    np.testing.assert_array_equal(found_again, found)


@pytest.mark.parametrize("case", NAMES)
def test_nothing_known_costs_nothing(case):
    loss, targets = make(case)
    if targets.ndim == 3:
        targets = np.full(targets.shape, 255)
    elif case == "constrain_to_boundary":
        targets = np.zeros(targets.shape)
    else:
        targets = np.concatenate([np.full((*MASKS.shape, 1), 255.0), targets[..., 1:]], -1)
    value, found = gradient(loss, targets)
    assert value == 0 and not found.any()


@pytest.mark.parametrize("case", CASES)
def test_sure_predictions_have_finite_costs_and_gradients(case):
    loss, targets = make(case)
    for scores in (200 * np.sign(LOGITS), np.zeros_like(LOGITS)):
        value, found = gradient(loss, targets, scores.astype("float32"))
        assert np.isfinite(value) and np.isfinite(found).all()


@pytest.mark.parametrize("case", CASES)
def test_half_precision_logits_are_computed_in_float32(case):
    loss, targets = make(case)
    rounded = LOGITS.astype("float16")
    value = loss(targets, tf.constant(rounded))
    assert keras.backend.standardize_dtype(value.dtype) == "float32" and value.shape == ()
    assert float(value) == pytest.approx(float(loss(targets, rounded.astype("float32"))), rel=1e-6)


@pytest.mark.parametrize("case", CASES)
def test_serialisation_keeps_the_options(case):
    loss, targets = make(case)
    again = keras.saving.deserialize_keras_object(keras.saving.serialize_keras_object(loss))
    assert again.get_config() == loss.get_config()
    assert float(again(targets, LOGITS)) == float(loss(targets, LOGITS))


@pytest.mark.parametrize("case", ["cross_entropy", "lovasz_softmax", "expansion", "weight_map"])
def test_compiled_by_xla(case):
    loss, targets = make(case)
    compiled = tf.function(lambda y, x: loss(y, x), jit_compile=True)
    assert float(compiled(tf.constant(targets), LOGITS)) == pytest.approx(
        float(loss(targets, LOGITS)), rel=1e-5
    )


@pytest.mark.parametrize(
    "name", [name for name in losses.LOSSES if name != "cross_entropy"]
)  # Keras has its own
def test_masks_of_another_size_than_the_logits(name):
    loss = losses.create(name)
    channels = {"weight_map": (2,), "boundary": (4,), "constrain_to_boundary": (4,)}.get(name, ())
    with pytest.raises(InputError, match=r"masks of 8 x 5 pixels do not fit logits of 4 x 5; resize"):
        loss(np.zeros((3, 8, 5, *channels)), LOGITS)


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        ("focl", {}, "unknown loss `focl`; did you mean `focal`"),
        ("focal", {"gama": 1}, "loss `focal` has no option `gama`; did you mean `gamma`"),
        ("focal", {"gamma": -1}, "`gamma` must be 0 or more; try 2; got -1"),
        ("focal", {"gamma": "two"}, "`gamma` must be 0 or more; try 2; got 'two'"),
        ("focal", {"alpha": [1, -1]}, "`alpha` must be a weight of 0 or more"),
        ("generalised_cross_entropy", {"q": 0}, r"`q` must be in \(0, 1\]; try 0.7; got 0"),
        ("symmetric_cross_entropy", {"beta": -1}, "`beta` must be 0 or more"),
        ("symmetric_cross_entropy", {"log_zero": 4}, "`log_zero` must be below 0"),
        ("bootstrapping", {"beta": 1.5}, r"`beta` must be in \[0, 1\]"),
        ("dice", {"classes": "some"}, "`classes` must be present or all"),
        ("lovasz_softmax", {"classes": "some"}, "`classes` must be present or all"),
        ("weight_map", {"sigma": 0}, "`sigma` must be a width in pixels"),
        ("weight_map", {"w0": -1}, "`w0` must be 0 or more"),
        ("weight_map", {"class_weights": "even"}, "`class_weights` must be balanced, a weight"),
        ("boundary", {"alpha": -1}, "`alpha` must be 0 or more"),
        ("expansion", {"present": 2}, r"`present` must be a decay in \[0, 1\]"),
        ("expansion", {"cells": 0}, "`cells` must be at least 1"),
    ],
)
def test_bad_names_and_options(name, options, message):
    with pytest.raises(InputError, match=message):
        losses.create(name, **options)
