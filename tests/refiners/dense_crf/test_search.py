"""The coarse-to-fine search, on scores that are known."""

import math

import pytest

from wsseg.errors import InputError
from wsseg.refiners.dense_crf.search import coarse_to_fine


def hill(top):
    """Scores that fall with the distance, in ratio, from a top; and the choices asked for."""
    asked = []

    def score(choices):
        asked.append(choices)
        return [-sum(abs(math.log(choice[name] / top[name])) for name in top) for choice in choices]

    return score, asked


def test_it_comes_nearer_with_each_round():
    score, asked = hill({"weight": 6.2, "sxy": 44.0})
    trials = coarse_to_fine(score, {"weight": [3, 5, 8], "sxy": [30, 50, 80]}, rounds=4)
    nearest = [max(t.score for t in trials if t.round <= number) for number in (1, 2, 3, 4)]
    assert nearest == sorted(nearest) and nearest[3] > -0.1 > nearest[0]
    assert [len(choices) for choices in asked] == [9, *([8] * 3)]  # the best of a round is not scored again
    choices = [tuple(trial.parameters.values()) for trial in trials]
    assert len(set(choices)) == len(choices)


def test_it_leaves_the_grid_where_the_top_is_outside():
    score, _ = hill({"sxy": 200.0})
    trials = coarse_to_fine(score, {"sxy": [30, 50, 80]}, rounds=6)
    assert max(trials, key=lambda trial: trial.score).parameters["sxy"] > 120


@pytest.mark.parametrize(
    ("values", "rounds", "message"),
    [
        ({"sxy": [50, 30]}, 1, "`sxy` must be a list of positive and rising"),
        ({"sxy": []}, 1, "`sxy` must be"),
        ({"sxy": [0, 3]}, 1, "`sxy` must be"),
        ({"sxy": [3]}, 0, "`rounds` must be 1 or more"),
    ],
)
def test_wrong_values_are_named(values, rounds, message):
    with pytest.raises(InputError, match=message):
        coarse_to_fine(lambda choices: [0.0 for _ in choices], values, rounds)
