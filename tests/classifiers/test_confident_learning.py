import numpy as np
import pytest

from wsseg.classifiers.confident_learning import corrected
from wsseg.errors import InputError


def twin(labels, probabilities):
    """The confident joint of one class after the other, image by image, in plain Python."""
    result = [list(row) for row in labels]
    for k in range(len(labels[0])):

        def p(j, i, k=k):
            return probabilities[i][k] if j else 1 - probabilities[i][k]

        groups = {j: [i for i in range(len(labels)) if labels[i][k] == j] for j in (0, 1)}
        if not groups[0] or not groups[1]:
            continue
        t = {j: sum(p(j, i) for i in group) / len(group) for j, group in groups.items()}
        for i in range(len(labels)):
            (other,) = {0, 1} - {labels[i][k]}
            if p(other, i) >= t[other] and p(other, i) > 0.5:
                result[i][k] = other
    return result


def test_against_the_twin():
    rng = np.random.default_rng(0)
    labels = (rng.random((200, 6)) < [0.1, 0.3, 0.5, 0.8, 0, 1]).astype(np.float32)
    # Even a classifier of no use, or of few values, for ties with the thresholds.
    for probabilities in (rng.random(labels.shape), rng.choice([0.25, 0.5, 0.75], labels.shape)):
        mixed = 0.875 * probabilities + 0.125 * labels
        for given in (probabilities, mixed):
            found = corrected(labels, given)
            assert found.dtype == np.float32 and np.array_equal(found, twin(labels.tolist(), given.tolist()))
            assert (found != labels)[:, :4].any() and not (found != labels)[:, 4:].any()


def test_it_finds_wrong_labels_of_a_good_classifier():
    rng = np.random.default_rng(1)
    truth = rng.random((2000, 3)) < 0.3
    wrong = rng.random(truth.shape) < np.where(truth, 0.3, 0.3 * 0.3 / 0.7)
    # Noise makes a classifier unsure: it sees present ones at 0.65, absent ones at 0.15, give or take.
    probabilities = np.clip(np.where(truth, 0.65, 0.15) + rng.normal(0, 0.12, truth.shape), 0, 1)
    noisy = truth ^ wrong
    found = corrected(noisy.astype(int), probabilities) > 0
    assert np.mean(noisy != truth) > 0.15 and np.mean(found != truth) < 0.05


def test_a_label_stays_unless_the_classifier_says_the_other_with_its_usual_confidence():
    labels = np.array([[1], [1], [0], [0]])
    # t(1) = t(0) = 0.5, but 0.5 speaks for neither.
    assert corrected(labels, np.array([[0.5], [0.5], [0.5], [0.5]]))[:, 0].tolist() == [1, 1, 0, 0]
    # t(1) = 0.8, t(0) = 0.9: 0.6 passes neither.
    assert corrected(labels, np.array([[1.0], [0.6], [0.1], [0.1]]))[:, 0].tolist() == [1, 1, 0, 0]
    # t(1) = 0.25, t(0) = 0.65: the last 0.4 passes t(1), and is absent all the same; 0.1 passes t(0) = 0.65.
    assert corrected(labels, np.array([[0.4], [0.1], [0.3], [0.4]]))[:, 0].tolist() == [1, 0, 0, 0]


def test_a_classifier_that_knows_nothing_adds_few_labels():
    rng = np.random.default_rng(2)
    labels = (rng.random((1000, 4)) < 0.25).astype(int)
    probabilities = np.clip(rng.normal(0.25, 0.1, labels.shape), 0, 1)
    # By the thresholds alone it would add half of them.
    assert corrected(labels, probabilities)[labels == 0].mean() < 0.02


def test_bad_input():
    with pytest.raises(InputError, match=r"must both be \(N, K\)"):
        corrected(np.zeros((3, 2)), np.zeros((2, 3)))
    for bad in (1.5, float("nan")):
        with pytest.raises(InputError, match="`probabilities` must be in"):
            corrected(np.zeros((1, 1)), np.full((1, 1), bad))
