import numpy as np
import pytest
from references.map_scores import points_at

from wsseg.errors import InputError
from wsseg.metrics import PointingGame


def point(y, x, size_hw=(40, 40)):
    values = np.zeros(size_hw)
    values[y, x] = 1
    return values


def block(top, left, size_hw=(40, 40)):
    mask = np.zeros(size_hw, bool)
    mask[top : top + 5, left : left + 5] = True
    return mask


def test_the_mean_is_over_the_classes():
    game = PointingGame()
    for _ in range(3):
        game.update(point(2, 2), block(0, 0), "cat")
    game.update(point(39, 39), block(0, 0), "dog")
    result = game.result()
    assert result["by_class"] == {"cat": 1.0, "dog": 0.0} and result["maps"] == 4
    assert result["pointing_game"] == 0.5 and result["pooled"] == 0.75


@pytest.mark.parametrize(("at", "hits"), [((4, 19), 1), ((4, 20), 0), ((13, 16), 1), ((16, 16), 0)])
def test_fifteen_pixels_from_the_corner(at, hits):
    # The block ends at (4, 4): 15 pixels to the right is 19; diagonally sqrt(9^2 + 12^2) = 15 is near enough.
    game = PointingGame()
    game.update(point(*at), block(0, 0))
    assert game.result()["pointing_game"] == hits


def test_without_tolerance():
    game = PointingGame(tolerance=0)
    game.update(point(4, 4), block(0, 0))
    game.update(point(4, 5), block(0, 0))
    assert game.result()["pointing_game"] == 0.5


def test_equal_maxima_count_by_their_share():
    game = PointingGame(tolerance=0)
    game.update(np.zeros((10, 10)), block(0, 0, (10, 10)))
    assert game.result()["pointing_game"] == 0.25  # 25 of 100 pixels: what chance gives


def test_equal_to_the_loops():
    random = np.random.default_rng(0)
    for tolerance in (0, 1, 2.5):
        game, expected = PointingGame(tolerance), []
        for _ in range(20):
            values = random.integers(0, 6, (7, 9)).astype(float)
            mask = random.random((7, 9)) < 0.1
            mask[random.integers(7), random.integers(9)] = True
            game.update(values, mask)
            expected.append(points_at(values, mask, tolerance))
        assert 0 < np.mean(expected) < 1 and game.result()["pointing_game"] == pytest.approx(
            np.mean(expected)
        )


def test_wrong_input():
    game = PointingGame()
    with pytest.raises(InputError, match="no pixel of the object"):
        game.update(np.eye(3), np.zeros((3, 3), bool))
    with pytest.raises(InputError, match="resize the map to the image's size"):
        game.update(np.eye(3), np.ones((3, 4), bool))
    with pytest.raises(InputError, match="from 0; got -1"):
        PointingGame(-1)
    assert game.result()["pointing_game"] is None
