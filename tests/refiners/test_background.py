import numpy as np
import pytest

from wsseg.errors import InputError
from wsseg.refiners import with_background

MAPS = np.array([[[0.2, 0.8]], [[0.5, 0.1]]], np.float32)


def test_constant_puts_the_level_first_and_keeps_the_maps():
    scores = with_background(MAPS, "constant", 0.3)
    assert scores.dtype == np.float32
    np.testing.assert_array_equal(scores[0], np.full((1, 2), 0.3, np.float32))
    np.testing.assert_array_equal(scores[1:], MAPS)


def test_power_of_what_the_highest_map_leaves():
    # (1 - 0.5)^3 and (1 - 0.8)^3
    np.testing.assert_allclose(with_background(MAPS, "power", 3)[0], [[0.125, 0.008]], rtol=1e-5)


def test_a_higher_exponent_means_less_background():
    low, high = with_background(MAPS, "power", 4)[0], with_background(MAPS, "power", 32)[0]
    assert (high < low).all()


@pytest.mark.parametrize(("kind", "level", "expected"), [("constant", 0.4, 0.4), ("power", 4, 1.0)])
def test_no_class_present(kind, level, expected):
    scores = with_background(np.zeros((0, 2, 3), np.float32), kind, level)
    np.testing.assert_allclose(scores, np.full((1, 2, 3), expected), rtol=1e-6)


@pytest.mark.parametrize(
    ("maps", "kind", "level", "message"),
    [
        (MAPS * 2, "constant", 0.3, "in \\[0, 1\\]; got"),
        (MAPS * np.nan, "constant", 0.3, "in \\[0, 1\\]; got"),
        (MAPS[0], "constant", 0.3, "\\(C, H, W\\)"),
        (MAPS, "constnat", 0.3, "did you mean `constant`"),
        (MAPS, "constant", 4, "must be in \\[0, 1\\]; got 4"),
        (MAPS, "power", 0, "must be positive"),
    ],
)
def test_wrong_input(maps, kind, level, message):
    with pytest.raises(InputError, match=message):
        with_background(maps, kind, level)
