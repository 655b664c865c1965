import keras
import numpy as np
import pytest
import tensorflow as tf
from places.colour_classifiers import BLUE, RED, one_label, picture, several_labels

from wsseg.errors import InputError
from wsseg.places.class_odds import checked_class_ids, class_odds, outputs_of
from wsseg.places.fills import fills_of
from wsseg.places.removal_scores import RemovalScores


def odds_by_definition(row, ids, kind):
    """log(p / (1 - p)) and the prediction in float64, from the definition of p."""
    row = np.asarray(row, np.float64)
    if kind.startswith("softmax"):
        p = np.exp(row) / np.exp(row).sum() if kind == "softmax_logits" else row
        chosen = sum(p[i] for i in ids)
        others = sum(p[i] for i in range(len(p)) if i not in ids)
        return np.log(chosen) - np.log(others), int(np.argmax(p)) in ids
    p = 1 / (1 + np.exp(-row)) if kind == "sigmoid_logits" else row
    highest = max(p[i] for i in ids)
    return np.log(highest / (1 - highest)), highest >= 0.5


@pytest.mark.parametrize("kind", ["softmax", "sigmoid", "softmax_logits", "sigmoid_logits"])
@pytest.mark.parametrize("ids", [(1,), (0, 3)])
def test_log_odds_equal_the_definition(kind, ids):
    rows = np.random.default_rng(0).normal(0, 2, (12, 5)).astype(np.float32)
    if kind == "softmax":
        rows = np.exp(rows) / np.exp(rows).sum(axis=1, keepdims=True)
    elif kind == "sigmoid":
        rows = 1 / (1 + np.exp(-rows))
    odds, predicted = class_odds(tf.constant(rows), tf.constant(np.isin(np.arange(5), ids)), kind)
    expected = [odds_by_definition(row, ids, kind) for row in rows]
    np.testing.assert_allclose(odds, [value for value, _ in expected], rtol=1e-4, atol=1e-4)
    assert predicted.numpy().tolist() == [bool(value) for _, value in expected]
    assert 0 < predicted.numpy().sum() < 12  # both answers occur


def test_a_sure_softmax_still_has_finite_odds_that_move():
    rows = tf.constant([[1.0, 1e-12, 1e-12], [1.0, 1e-20, 1e-20], [1.0, 0.0, 0.0]])
    odds, _ = class_odds(rows, tf.constant([True, False, False]), "softmax")
    assert np.isfinite(odds).all() and (np.diff(odds) > 10).all()


@pytest.mark.parametrize("fill", ["mean", "blur", "inpaint"])
@pytest.mark.parametrize("score", ["log_odds", "probability"])
def test_equals_filling_and_asking_one_by_one(fill, score):
    image = picture(((12, 8, 36, 28), RED), ((40, 40, 60, 56), BLUE))
    rng = np.random.default_rng(0)
    masks = np.zeros((5, 64, 64), bool)
    for mask, (x, y) in zip(masks[1:], rng.integers(0, 40, (4, 2))):
        mask[y : y + 18, x : x + 22] = True
    model = one_label()
    scores, predicted = RemovalScores(model, fill=fill, score=score, batch_size=3)(image, masks, 0, 3)
    assert scores.dtype == np.float32 and predicted.dtype == bool
    for mask, found, still in zip(masks, scores, predicted):
        filled = np.where(mask[..., None], fills_of(image, mask[None], fill)[0], image.astype(np.float32))
        odds, expected = odds_by_definition(np.asarray(model(filled[None]))[0], (0,), "softmax")
        assert found == pytest.approx(odds if score == "log_odds" else 1 / (1 + np.exp(-odds)), abs=1e-3)
        assert still == expected
    assert len(np.unique(scores)) > 2


def test_no_masks_and_probabilities():
    image = picture(((12, 8, 36, 28), RED))
    scores, predicted = RemovalScores(several_labels())(image, np.zeros((0, 64, 64), bool), 0, 2)
    assert scores.shape == predicted.shape == (0,)
    for model, outputs in ((several_labels(), None), (several_labels(activation=None), "sigmoid_logits")):
        found = RemovalScores(model, outputs).probabilities(image)
        np.testing.assert_allclose(found, 1 / (1 + np.exp([-5.83125, 1.2])), rtol=1e-3)
    logits = keras.Sequential([keras.Input((8, 8, 3)), keras.layers.GlobalAveragePooling2D()])
    found = RemovalScores(logits, "softmax_logits").probabilities(np.full((8, 8, 3), (4, 5, 6), np.uint8))
    np.testing.assert_allclose(found, np.exp([4, 5, 6]) / np.exp([4, 5, 6]).sum(), rtol=1e-5)


def test_a_model_of_a_list_of_one_input():
    inputs = keras.Input((64, 64, 3))
    model = keras.Model([inputs], several_labels()(inputs))
    image = picture(((12, 8, 36, 28), RED))
    scores, _ = RemovalScores(model)(image, np.zeros((1, 64, 64), bool), 0, 2)
    assert scores[0] == pytest.approx(5.83125, abs=0.01)


def test_outputs_are_read_off_the_last_layer():
    assert outputs_of(one_label()) == "softmax" and outputs_of(several_labels()) == "sigmoid"
    inputs = keras.Input((64, 64, 3))
    assert outputs_of(keras.Model(inputs, several_labels()(inputs))) == "sigmoid"  # nested
    dense = [
        keras.Input((64, 64, 3)),
        keras.layers.GlobalAveragePooling2D(),
        keras.layers.Dense(2, "softmax"),
    ]
    assert outputs_of(keras.Sequential(dense)) == "softmax"


def test_groups_of_classes():
    assert checked_class_ids(np.int64(2), 3, "softmax") == (2,)
    assert checked_class_ids(range(2), 3, "softmax") == (0, 1)
    assert checked_class_ids([0, 1], 2, "sigmoid") == (0, 1)
    with pytest.raises(InputError, match="all 2 classes"):
        checked_class_ids([0, 1], 2, "softmax_logits")
    with pytest.raises(InputError, match="from 0 to 2"):
        checked_class_ids(3, 3, "sigmoid")
    with pytest.raises(InputError, match="distinct class indices"):
        checked_class_ids(True, 3, "sigmoid")
