import numpy as np
import pytest
from references.places import boxes_above

from wsseg.errors import InputError
from wsseg.places import boxes_at_levels, boxes_from_map


@pytest.mark.parametrize("size_hw", [(1, 1), (1, 9), (9, 1), (2, 2), (7, 12), (12, 7)])
@pytest.mark.parametrize("grey_levels", [2, 4, 40])
def test_equals_flood_fill_at_each_level(size_hw, grey_levels):
    rng = np.random.default_rng(grey_levels)
    for _ in range(4):
        # Values on the levels themselves are as likely as any.
        values = rng.integers(0, grey_levels + 1, size_hw) / grey_levels
        levels = rng.permutation([*np.arange(grey_levels + 1) / grey_levels, 0.33, 0.33])
        found = boxes_at_levels(values, levels)
        assert len(found) == len(levels)
        for level, boxes in zip(levels, found):
            assert boxes.tolist() == boxes_above(values, level)
            assert boxes.dtype == np.int64 and boxes.shape[1:] == (4,)


def test_nested_rings_by_hand():
    # A peak in a plateau in a ring that it does not touch, on a floor of 0.1.
    values = np.full((7, 9), 0.1)
    values[0, :] = values[6, :] = values[:, 0] = values[:, 8] = 0.5
    values[2:5, 2:5] = 0.7
    values[3, 3] = 0.9
    found = boxes_at_levels(values, [0.05, 0.3, 0.6, 0.8, 0.9])
    assert [boxes.tolist() for boxes in found] == [
        [[0, 0, 9, 7]],
        [[0, 0, 9, 7], [2, 2, 5, 5]],  # the ring has 28 pixels, the plateau 9
        [[2, 2, 5, 5]],
        [[3, 3, 4, 4]],
        [],  # strictly above
    ]


def test_is_what_boxes_from_map_finds():
    rng = np.random.default_rng(3)
    coarse = rng.random((5, 6))
    values = np.kron(coarse, np.ones((4, 3)))
    levels = np.linspace(0, 1, 21)
    for level, boxes in zip(levels, boxes_at_levels(values, levels)):
        every, _ = boxes_from_map(values, level=float(level))
        assert sorted(boxes.tolist()) == sorted(every.tolist())
        largest, _ = boxes_from_map(values, level=float(level), components="largest")
        assert boxes[:1].tolist() == largest.tolist()


def test_levels_are_compared_as_float32():
    value = np.float32(0.3)  # a little above 0.3 in float64
    assert boxes_at_levels(np.full((1, 1), value), [0.3])[0].tolist() == []
    assert boxes_at_levels(np.full((1, 1), np.nextafter(value, np.float32(1))), [0.3])[0].tolist() == [
        [0, 0, 1, 1]
    ]


def test_no_levels_and_wrong_input():
    assert boxes_at_levels(np.ones((2, 2)), []) == []
    good = np.ones((2, 2))
    for levels in ([1.1], [-0.1], [np.nan], 0.5, [[0.5]], ["high"], [None, "x"]):
        with pytest.raises(InputError, match="`levels` must be"):
            boxes_at_levels(good, levels)
    for values, message in (
        (np.ones((2, 2, 1)), r"must be \(H, W\)"),
        (np.zeros((0, 3)), r"must be \(H, W\)"),
        (np.ones((2, 2), int), "must be float"),
        (np.array([[0.1, np.nan]]), "nan"),
        (np.array([[0.1, np.inf]]), "must lie in"),
        (np.array([[-0.1, 0.5]]), "must lie in"),
        (np.array([[1.5, 0.5]]), "must lie in"),
    ):
        with pytest.raises(InputError, match=message):
            boxes_at_levels(values, [0.5])
