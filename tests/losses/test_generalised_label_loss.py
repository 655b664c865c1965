import math

import keras
import numpy as np
import pytest
from references.losses import softmax

from wsseg.errors import InputError
from wsseg.losses.generalised_label_loss import GeneralisedLabelLoss

RANDOM = np.random.default_rng(0)
LOGITS = RANDOM.normal(0, 3, (5, 4)).astype("float32")
LABELS = (RANDOM.random((5, 4)) < 0.4).astype("float32")
ONE = np.eye(4, dtype="float32")[[0, 3, 1, 1, 2]]


def several(q):
    costs = []
    for labels, logits in zip(LABELS.tolist(), LOGITS.tolist()):
        for y, z in zip(labels, logits):
            p = 1 / (1 + math.exp(-z))
            costs.append((1 - (p if y else 1 - p) ** q) / q)
    return sum(costs) / len(costs)


def single(q):
    costs = [(1 - softmax(logits)[int(np.argmax(y))] ** q) / q for y, logits in zip(ONE, LOGITS.tolist())]
    return sum(costs) / len(costs)


@pytest.mark.parametrize("q", [0.1, 0.7, 1])
def test_against_the_formula(q):
    assert float(GeneralisedLabelLoss(q)(LABELS, LOGITS)) == pytest.approx(several(q), rel=1e-5)
    assert float(GeneralisedLabelLoss(q, True)(ONE, LOGITS)) == pytest.approx(single(q), rel=1e-5)


def test_its_limits_are_the_cross_entropies():
    found = float(GeneralisedLabelLoss(1e-4)(LABELS, LOGITS))
    assert found == pytest.approx(
        float(keras.losses.BinaryCrossentropy(from_logits=True)(LABELS, LOGITS)), rel=1e-2
    )
    found = float(GeneralisedLabelLoss(1e-4, True)(ONE, LOGITS))
    assert found == pytest.approx(
        float(keras.losses.CategoricalCrossentropy(from_logits=True)(ONE, LOGITS)), rel=1e-2
    )


def test_a_label_that_is_not_believed_hardly_pulls():
    """Hand-worked: at p = sigmoid(-8) = 3.4e-4 the slope is p^q (1 - p): 0.0037 for q = 0.7, 1 for cross-entropy."""
    loss, step = GeneralisedLabelLoss(0.7), 1e-2
    high, low = (float(loss(np.ones((1, 1)), np.full((1, 1), -8 + sign * step))) for sign in (1, -1))
    p = 1 / (1 + math.exp(8))
    assert (low - high) / (2 * step) == pytest.approx(p**0.7 * (1 - p), rel=1e-2)


def test_extreme_logits_and_saving():
    loss = GeneralisedLabelLoss(0.3)
    assert float(loss(np.array([[1.0, 0.0]]), np.array([[-1e4, 1e4]]))) == pytest.approx(1 / 0.3)
    assert float(loss(np.array([[1.0, 0.0]]), np.array([[1e4, -1e4]]))) == 0
    again = keras.losses.deserialize(keras.losses.serialize(GeneralisedLabelLoss(0.3, True)))
    assert (again.q, again.single_label) == (0.3, True)


@pytest.mark.parametrize("q", [0, 1.1, "x"])
def test_bad_q(q):
    with pytest.raises(InputError, match="`q` must be in"):
        GeneralisedLabelLoss(q)
