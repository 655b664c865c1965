"""The balanced cross-entropy against a loop, and what must not count."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from wsseg.losses import BalancedCrossEntropy

RANDOM = np.random.default_rng(0)
LOGITS = RANDOM.normal(0, 2, (2, 4, 5, 3)).astype("float32")
MASKS = RANDOM.choice([0, 0, 0, 1, 2, 255], (2, 4, 5)).astype("uint8")


def twin(masks, logits, ignore=255):
    """Mean of -log p over the foreground, and over the background, halved; one pixel after another."""
    costs = {True: [], False: []}
    for position in np.ndindex(masks.shape):
        label = int(masks[position])
        if label != ignore:
            scores = logits[position].astype(float)
            costs[label > 0].append(np.log(np.exp(scores).sum()) - scores[label])
    return sum(sum(c) / len(c) for c in costs.values() if c) / 2


def test_equals_the_loop():
    assert {0, 1, 2, 255} == set(MASKS.ravel().tolist())
    assert float(BalancedCrossEntropy()(MASKS, LOGITS)) == pytest.approx(twin(MASKS, LOGITS), rel=1e-5)


def test_one_foreground_pixel_weighs_as_much_as_all_background():
    masks, logits = np.zeros((1, 10, 10), "uint8"), np.zeros((1, 10, 10, 2), "float32")
    masks[0, 0, 0] = 1
    logits[..., 0] = 20  # all called background: no cost there, 20 at the one pixel
    assert float(BalancedCrossEntropy()(masks, logits)) == pytest.approx(10, rel=1e-5)


def test_batch_of_background_only():
    masks = np.where(MASKS > 0, 255, 0)
    found = float(BalancedCrossEntropy()(masks, LOGITS))
    assert found == pytest.approx(twin(masks, LOGITS), rel=1e-5) and found > 0


def gradient(masks, logits):
    logits = tf.Variable(logits)
    with tf.GradientTape() as tape:
        loss = BalancedCrossEntropy()(masks, logits)
    return float(loss), tape.gradient(loss, logits).numpy()


def test_ignored_pixels_have_no_gradient_and_the_others_do():
    _, found = gradient(MASKS, LOGITS)
    assert not found[MASKS == 255].any()
    assert (np.abs(found[MASKS != 255]).max(-1) > 0).all()


def test_nothing_known_costs_nothing():
    loss, found = gradient(np.full((1, 2, 2), 255), np.ones((1, 2, 2, 3), "float32"))
    assert loss == 0 and not found.any()


def test_float16_logits_are_summed_in_float32():
    masks, logits = np.zeros((1, 300, 300), "uint8"), np.zeros((1, 300, 300, 2), "float16")
    assert float(BalancedCrossEntropy()(masks, logits)) == pytest.approx(np.log(2) / 2, rel=1e-3)


def test_other_ignore_value_and_config():
    loss = keras.saving.deserialize_keras_object(
        keras.saving.serialize_keras_object(BalancedCrossEntropy(ignore=9))
    )
    masks = np.where(MASKS == 255, 9, MASKS)
    assert float(loss(masks, LOGITS)) == pytest.approx(twin(MASKS, LOGITS), rel=1e-5)
