import json

import numpy as np
import pytest
from references import confusion

from wsseg.errors import InputError
from wsseg.metrics import BoundaryScores, ConfusionMatrix

# Rows of pixels, worked by hand:
#   truth       0 0 0 0 1 1 1 2 255 255
#   prediction  0 0 1 2 1 1 0 2  1   3
# class 0: 2 hits, 4 true, 3 predicted -> 2/5; class 1: 2, 3, 3 -> 2/4; class 2: 1, 1, 2 -> 1/2;
# class 3: absent.
TRUTH = np.array([[0, 0, 0, 0, 1, 1, 1, 2, 255, 255]], np.uint8)
PREDICTION = np.array([[0, 0, 1, 2, 1, 1, 0, 2, 1, 3]], np.uint8)


@pytest.fixture
def cm():
    result = ConfusionMatrix(num_classes=4)
    result.update(PREDICTION, TRUTH)
    return result


def test_hand_worked_numbers(cm):
    assert cm.matrix.tolist() == [[2, 1, 1, 0], [1, 2, 0, 0], [0, 0, 1, 0], [0, 0, 0, 0]]
    np.testing.assert_allclose(cm.iou(), [2 / 5, 2 / 4, 1 / 2, np.nan])
    assert cm.miou() == pytest.approx((0.4 + 0.5 + 0.5) / 3)
    assert cm.pixel_accuracy() == pytest.approx(5 / 8)
    np.testing.assert_allclose(cm.class_accuracy(), [2 / 4, 2 / 3, 1, np.nan])
    assert cm.mean_class_accuracy() == pytest.approx((1 / 2 + 2 / 3 + 1) / 3)
    assert cm.frequency_weighted_iou() == pytest.approx((4 * 0.4 + 3 * 0.5 + 1 * 0.5) / 8)
    assert cm.pixels == 8


def test_unsure_prediction_is_a_miss_and_nobodys_false_positive():
    cm = ConfusionMatrix(num_classes=2)
    cm.update(np.array([0, 1, 255, 255]), np.array([0, 1, 1, 255]))
    assert cm.matrix.tolist() == [[1, 0], [0, 1]]
    assert cm.unsure.tolist() == [0, 1]
    np.testing.assert_allclose(cm.iou(), [1.0, 0.5])
    np.testing.assert_allclose(cm.class_accuracy(), [1.0, 0.5])
    assert cm.pixel_accuracy() == pytest.approx(2 / 3)


def test_predicted_but_never_true_class_counts_as_zero():
    cm = ConfusionMatrix(num_classes=2)
    cm.update(np.array([0, 1]), np.array([0, 0]))
    np.testing.assert_allclose(cm.iou(), [0.5, 0.0])
    assert cm.miou() == 0.25
    assert cm.mean_class_accuracy() == 0.5


@pytest.mark.parametrize("seed", range(5))
def test_equals_the_set_twin_over_several_images(seed):
    rng = np.random.default_rng(seed)
    truth = rng.choice([0, 1, 2, 4, 255], (3, 7, 9)).astype(np.uint8)
    prediction = rng.choice([0, 1, 2, 3, 255], (3, 7, 9)).astype(np.uint8)
    cm = ConfusionMatrix(num_classes=6)
    for one_prediction, one_truth in zip(prediction, truth):
        cm.update(one_prediction, one_truth)
    expected = [np.nan if value is None else value for value in confusion.iou(prediction, truth, 6)]
    np.testing.assert_allclose(cm.iou(), expected)
    expected = [np.nan if value is None else value for value in confusion.recall(prediction, truth, 6)]
    np.testing.assert_allclose(cm.class_accuracy(), expected)


def test_merging_parts_equals_the_whole(cm):
    left, right = ConfusionMatrix(4), ConfusionMatrix(4)
    left.update(PREDICTION[:, :5], TRUTH[:, :5])
    right.update(PREDICTION[:, 5:], TRUTH[:, 5:])
    total = left + right
    assert total.matrix.tolist() == cm.matrix.tolist()
    assert left.pixels == 5, "`+` must not change its operands"
    assert left.merge(right) is left
    assert left.pixels == 8
    with pytest.raises(InputError, match="cannot be merged"):
        left.merge(ConfusionMatrix(3))


def test_from_counts_gives_the_same_scores(cm):
    again = ConfusionMatrix.from_counts(cm.matrix, cm.unsure)
    assert again.scores("abcd") == cm.scores("abcd")
    with pytest.raises(InputError, match=r"\(K, K\)"):
        ConfusionMatrix.from_counts(np.zeros((2, 3), int))


def test_nothing_scored_is_nan_without_a_warning():
    cm = ConfusionMatrix(num_classes=3)
    cm.update(np.array([1, 2]), np.array([255, 255]))
    values = [cm.miou(), cm.pixel_accuracy(), cm.mean_class_accuracy(), cm.frequency_weighted_iou()]
    assert np.isnan(values).all()


def test_scores_have_the_agreed_keys_and_are_json(cm):
    scores = cm.scores(["background", "cat", "dog", "cow"])
    assert list(scores) == [
        "miou",
        "iou",
        "pixel_accuracy",
        "class_accuracy",
        "mean_class_accuracy",
        "frequency_weighted_iou",
        "classes_without_truth",
    ]
    assert scores["classes_without_truth"] == ["cow"]
    assert scores["iou"] == {"background": 0.4, "cat": 0.5, "dog": 0.5, "cow": None}
    assert json.loads(json.dumps(scores, allow_nan=False)) == scores
    with pytest.raises(InputError, match="4 names"):
        cm.scores(["cat"])


def test_the_id_of_a_class_is_never_ignored():
    with pytest.raises(InputError, match=r"`ignore` \(255\) is one of the ids 0\.\.255"):
        ConfusionMatrix(256)
    with pytest.raises(InputError, match="is one of the ids"):
        BoundaryScores(256)
    assert ConfusionMatrix(255).ignore == BoundaryScores(255).ignore == 255


def test_wrong_input_is_named_and_not_counted():
    cm = ConfusionMatrix(num_classes=3)
    with pytest.raises(InputError, match="same shape"):
        cm.update(np.zeros((2, 3), int), np.zeros((3, 2), int))
    with pytest.raises(InputError, match=r"`truth` holds the id 3; expected 0\.\.2 or 255"):
        cm.update(np.array([0, 0]), np.array([0, 3]))
    with pytest.raises(InputError, match="`prediction` holds the id -1"):
        cm.update(np.array([0, -1]), np.array([0, 0]))
    with pytest.raises(InputError, match="argmax"):
        cm.update(np.array([0.2]), np.array([0]))
    assert cm.pixels == 0
    with pytest.raises(InputError, match="num_classes"):
        ConfusionMatrix(0)


def test_prediction_out_of_range_is_harmless_where_nothing_is_scored():
    cm = ConfusionMatrix(num_classes=2)
    cm.update(np.array([0, 77]), np.array([0, 255]))
    assert cm.pixels == 1


def test_other_ignore_values():
    cm = ConfusionMatrix(num_classes=2, ignore=-1)
    cm.update(np.array([0, 1, -1]), np.array([0, -1, 1]))
    assert cm.matrix.tolist() == [[1, 0], [0, 0]]
    assert cm.unsure.tolist() == [0, 1]
    everything = ConfusionMatrix(num_classes=2, ignore=None)
    with pytest.raises(InputError, match="255"):
        everything.update(np.array([0]), np.array([255]))
