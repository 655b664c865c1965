import numpy as np
import pytest
from references import average_precision as twin

from wsseg.errors import InputError
from wsseg.metrics import average_precision, mean_average_precision


def test_hand_worked_ranking():
    # Ranked: + - + : recall 1/2 at precision 1, then recall 1 at precision 2/3.
    assert average_precision(np.array([3.0, 2.0, 1.0]), np.array([1, 0, 1])) == pytest.approx(
        0.5 + 0.5 * 2 / 3
    )


def test_value_from_the_scikit_learn_documentation():
    # sklearn.metrics.average_precision_score, Examples section: 0.83...
    assert average_precision(np.array([0.1, 0.4, 0.35, 0.8]), np.array([0, 0, 1, 1])) == pytest.approx(
        0.8333, abs=1e-4
    )


def test_ties_enter_together_so_order_does_not_matter():
    scores = np.array([0.5, 0.5, 0.5, 0.5])
    assert average_precision(scores, np.array([1, 0, 0, 0])) == 0.25
    assert average_precision(scores, np.array([0, 0, 0, 1])) == 0.25


@pytest.mark.parametrize("seed", range(10))
def test_equals_the_twin_with_many_ties(seed):
    rng = np.random.default_rng(seed)
    scores = rng.integers(0, 8, 40) / 8
    truth = rng.random(40) < 0.3
    truth[0] = True
    assert average_precision(scores, truth) == pytest.approx(twin.average_precision(scores, truth), abs=1e-12)


def test_no_positive_is_nan_and_left_out_of_the_mean():
    scores = np.array([[0.9, 0.1, 0.6], [0.2, 0.3, 0.5]])
    mean, each = mean_average_precision(scores, np.array([[1, 0, 0], [0, 0, 1]]))
    np.testing.assert_allclose(each, [1.0, np.nan, 0.5])
    assert mean == pytest.approx(0.75)
    mean, each = mean_average_precision(scores, np.zeros((2, 3), int))
    assert np.isnan(mean) and np.isnan(each).all()


def test_wrong_input():
    with pytest.raises(InputError, match=r"both be \(N,\)"):
        average_precision(np.zeros(3), np.zeros(2))
    with pytest.raises(InputError, match="finite"):
        average_precision(np.array([np.nan, 1]), np.array([0, 1]))
    with pytest.raises(InputError, match="0 and 1"):
        average_precision(np.zeros(2), np.array([0, 2]))
    with pytest.raises(InputError, match=r"\(N, K\)"):
        mean_average_precision(np.zeros((2, 3)), np.zeros((3, 2)))
