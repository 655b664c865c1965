import numpy as np
import pytest

from wsseg.errors import InputError
from wsseg.refiners import probabilities_from_labels, unary_from_probabilities


def test_label_gets_the_confidence_and_the_others_share_the_rest():
    probabilities = probabilities_from_labels(np.array([[0, 1], [2, 255]], np.uint8), num_classes=3)
    assert probabilities.shape == (2, 2, 3)
    assert probabilities.dtype == np.float32
    np.testing.assert_allclose(probabilities[0, 0], [0.7, 0.15, 0.15], rtol=1e-6)
    np.testing.assert_allclose(probabilities[1, 0], [0.15, 0.15, 0.7], rtol=1e-6)
    np.testing.assert_allclose(probabilities[1, 1], [1 / 3] * 3, rtol=1e-6)


def test_energies_equal_those_of_pydensecrf():
    utils = pytest.importorskip("pydensecrf.utils")
    rng = np.random.default_rng(0)
    labels = rng.integers(0, 4, (6, 5))
    theirs = utils.unary_from_labels(labels, 4, gt_prob=0.7, zero_unsure=False)
    ours = unary_from_probabilities(probabilities_from_labels(labels, 4))
    np.testing.assert_allclose(ours.reshape(-1, 4).T, theirs, rtol=1e-5)
    scores = rng.dirichlet(np.full(4, 0.2), (6, 5)).astype(np.float32)
    scores[0, 0] = 0, 0, 1, 0
    theirs = utils.unary_from_softmax(scores.transpose(2, 0, 1))
    np.testing.assert_allclose(unary_from_probabilities(scores).reshape(-1, 4).T, theirs, rtol=1e-6)


def test_only_the_background_present():
    assert probabilities_from_labels(np.array([[0, 255]]), num_classes=1).tolist() == [[[1.0], [1.0]]]


def test_probability_zero_has_a_finite_energy():
    assert unary_from_probabilities(np.zeros(1))[0] == pytest.approx(-np.log(1e-5), rel=1e-6)


def test_wrong_input():
    with pytest.raises(InputError, match=r"0\.\.1 or 255; got 2"):
        probabilities_from_labels(np.array([[2]]), num_classes=2)
    with pytest.raises(InputError, match=r"1/K = 0\.5"):
        probabilities_from_labels(np.array([[0]]), num_classes=2, confidence=0.4)
    with pytest.raises(InputError, match=r"\(H, W\) integers"):
        probabilities_from_labels(np.array([[0.5]]), num_classes=2)
