import numpy as np
import pytest
from references.map_scores import component_boxes, iou, max_box_acc_v2

from wsseg.errors import InputError
from wsseg.metrics import MaxBoxAcc, box_iou


def drawn(*blocks, size_hw=(10, 10)):
    """Return a map of zeros with blocks (value, left, top, right, bottom)."""
    values = np.zeros(size_hw)
    for value, left, top, right, bottom in blocks:
        values[top:bottom, left:right] = value
    return values


def score(pairs, **options):
    measure = MaxBoxAcc(**options)
    for values, boxes in pairs:
        measure.update(values, boxes)
    return measure.result()


def test_iou_by_counting_pixels():
    random = np.random.default_rng(0)
    corners = random.integers(0, 6, (2, 12, 2))
    boxes, others = (np.concatenate([c, c + random.integers(1, 6, c.shape)], axis=1) for c in corners)
    expected = [[iou(b, o) for o in others.tolist()] for b in boxes.tolist()]
    np.testing.assert_allclose(box_iou(boxes, others), expected, atol=1e-12)


def test_a_drawn_map_by_hand():
    # A bright core of 4 x 4 in a dim 8 x 8; the object is the 8 x 8: the core's IoU with it is 16 / 64.
    values = drawn((0.5, 0, 0, 8, 8), (1.0, 2, 2, 6, 6))
    result = score([(values, [[0, 0, 8, 8]])], levels=10)
    assert result["by_iou"] == {"0.3": 1.0, "0.5": 1.0, "0.7": 1.0} and result["max_box_acc_v2"] == 1
    # The object is the core: only levels from 0.5 on find it.
    result = score([(values, [[2, 2, 6, 6]])], levels=10)
    assert result["max_box_acc_v2"] == 1 and result["level_by_iou"]["0.7"] == 0.5
    # One level for the whole data set: with both objects a half is all that a level can reach ...
    pairs = [(values, [[0, 0, 8, 8]]), (values, [[2, 2, 6, 6]])]
    assert score(pairs, levels=10)["by_iou"] == {"0.3": 0.5, "0.5": 0.5, "0.7": 0.5}
    # ... but the best level may differ with the IoU: a 5 x 4 object is hit by the core at IoU 0.8,
    # and a 7 x 7 one by the dim block at 49 / 64 = 0.766 and by the core at 16 / 49 = 0.327.
    pairs = [(values, [[2, 2, 7, 6]]), (values, [[0, 0, 7, 7]])]
    assert score(pairs, levels=10)["by_iou"] == {"0.3": 1.0, "0.5": 0.5, "0.7": 0.5}


def test_any_box_may_fit_any_object():
    values = drawn((1.0, 0, 0, 6, 6), (0.9, 8, 8, 10, 10))
    assert score([(values, [[8, 8, 10, 10]])])["max_box_acc_v2"] == 1  # the smaller component
    assert score([(values, [[7, 0, 9, 2], [0, 0, 6, 6]])])["max_box_acc_v2"] == 1  # the second object
    assert score([(values, [[0, 0, 10, 10]])])["by_iou"] == {"0.3": 1.0, "0.5": 0.0, "0.7": 0.0}  # 36 / 100


def test_the_threshold_is_inclusive_and_the_map_is_scaled():
    values = drawn((5.0, 0, 0, 3, 10)) - 2
    # 30 / 100: exactly the wanted IoU.
    assert score([(values, [[0, 0, 10, 10]])], ious=[0.3])["max_box_acc_v2"] == 1
    assert score([(values * 1e-30, [[0, 0, 3, 10]])], ious=[1.0])["max_box_acc_v2"] == 1


def test_a_constant_map_finds_nothing():
    assert score([(np.ones((10, 10)), [[0, 0, 10, 10]])])["max_box_acc_v2"] == 0


@pytest.mark.parametrize("seed", range(3))
def test_equal_to_the_loops(seed):
    random = np.random.default_rng(seed)
    maps, boxes = [], []
    for _ in range(6):
        size_hw = random.integers(4, 11, 2)
        maps.append(np.round(random.uniform(0, 1, size_hw) ** 3, 1))
        corner = random.integers(0, 3, (2, 2))
        boxes.append(np.concatenate([corner, corner + random.integers(1, 5, (2, 2))], axis=1).tolist())
    assert component_boxes(maps[0], 0.05)  # the twin finds something to compare
    expected = max_box_acc_v2(maps, boxes, (0.3, 0.5, 0.7), 20)
    result = score(zip(maps, boxes), levels=20)
    assert 0 < expected < 1 and result["max_box_acc_v2"] == pytest.approx(expected) and result["maps"] == 6


def test_nothing_measured():
    result = MaxBoxAcc().result()
    assert result["max_box_acc_v2"] is None and result["by_iou"]["0.5"] is None and result["maps"] == 0


@pytest.mark.parametrize(
    ("values", "boxes", "message"),
    [
        (np.zeros((2, 2, 1)), [[0, 0, 1, 1]], r"`map_hw` must be \(H, W\)"),
        (np.full((2, 2), np.nan), [[0, 0, 1, 1]], "nan or infinity"),
        (np.zeros((2, 2)), [], r"must be \(n, 4\) with n from 1; got \(0,\)"),
        (np.zeros((2, 2)), [[1, 0, 1, 2]], "right > left"),
        (np.zeros((2, 2)), [[0, 0, 1, np.nan]], "right > left"),
    ],
)
def test_wrong_maps_and_boxes(values, boxes, message):
    measure = MaxBoxAcc()
    with pytest.raises(InputError, match=message):
        measure.update(values, boxes)
    assert measure.maps == 0


@pytest.mark.parametrize(
    "options", [{"ious": []}, {"ious": [0.0]}, {"ious": [50]}, {"levels": 0}, {"levels": 1.5}]
)
def test_wrong_options(options):
    with pytest.raises(InputError, match="try "):
        MaxBoxAcc(**options)
