import numpy as np
import pytest
from references.map_scores import energy_inside, gini, spearman

from wsseg.errors import InputError
from wsseg.metrics import EnergyPointingGame, Sparseness, gini_index, rank_correlation


def test_energy_is_equal_to_the_loops():
    random = np.random.default_rng(0)
    plain, less, expected = EnergyPointingGame(), EnergyPointingGame(), []
    for _ in range(5):
        values, mask, ignored = (
            random.random((4, 6)),
            random.random((4, 6)) < 0.4,
            random.random((4, 6)) < 0.3,
        )
        plain.update(values, mask)
        less.update(values, mask, ignored)
        expected.append([energy_inside(values, mask), energy_inside(values, mask, ignored)])
    found = [measure.result()["energy_pointing_game"] for measure in (plain, less)]
    np.testing.assert_allclose(found, np.mean(expected, axis=0))
    assert found[0] != pytest.approx(found[1], abs=1e-3)


def test_a_map_without_energy_counts_as_zero():
    game = EnergyPointingGame()
    game.update(np.ones((2, 2)), np.ones((2, 2), bool))
    game.update(np.zeros((2, 2)), np.ones((2, 2), bool))
    assert game.result() == {"energy_pointing_game": 0.5, "maps": 2, "empty": 1}


def test_the_scale_of_a_map_does_not_matter():
    values, mask = np.random.default_rng(0).random((3, 3)), np.eye(3, dtype=bool)
    shares = []
    for factor in (1, 1e-300, 1e308):
        game = EnergyPointingGame()
        game.update(values * factor, mask)
        shares.append(game.result()["energy_pointing_game"])
    assert shares == pytest.approx([shares[0]] * 3)
    assert gini_index(values * 1e308) == pytest.approx(gini_index(values))


def test_negative_energy_is_refused():
    with pytest.raises(InputError, match="at least 0; got -1; set negative evidence to 0"):
        EnergyPointingGame().update(-np.eye(2), np.eye(2, dtype=bool))


def test_gini_is_half_the_mean_difference_over_the_mean():
    random = np.random.default_rng(0)
    for count in (1, 2, 7, 30):
        values = random.normal(size=count)
        assert gini_index(values) == pytest.approx(gini(values))


def test_gini_by_hand():
    assert gini_index(np.full((3, 3), 0.2)) == pytest.approx(0)
    assert gini_index(np.array([0, 0, 0, 0, 7])) == pytest.approx(0.8)  # 1 - 1 / 5
    assert gini_index(np.array([1, 3])) == pytest.approx(0.25)
    assert np.isnan(gini_index(np.zeros(3)))
    for wrong in (np.zeros(0), [np.inf]):
        with pytest.raises(InputError, match="finite and at least one"):
            gini_index(wrong)


def test_mean_sparseness_leaves_empty_maps_out():
    score = Sparseness()
    assert score.result()["sparseness"] is None
    for values in (np.zeros((1, 2)), np.array([[1.0, 3.0]]), np.array([[0.0, 1.0]])):
        score.update(values)
    assert score.result() == {"sparseness": pytest.approx(0.375), "maps": 3, "empty": 1}


def test_rank_correlation_is_equal_to_counting_ranks():
    random = np.random.default_rng(0)
    one, two = random.integers(0, 5, (2, 4, 6)).astype(float)  # with ties
    two += one
    assert rank_correlation(one, two) == pytest.approx(spearman(one.ravel(), two.ravel()))
    assert 0.3 < rank_correlation(one, two) < 0.95


def test_rank_correlation_of_constant_maps():
    assert rank_correlation(np.ones((2, 2)), np.eye(2)) == 0
    assert rank_correlation(np.ones((2, 2)), np.zeros((2, 2))) == 1
    with pytest.raises(InputError, match="must have the same shape"):
        rank_correlation(np.eye(2), np.eye(3))
