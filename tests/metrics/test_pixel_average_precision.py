import numpy as np
import pytest
from references.average_precision import average_precision
from references.map_scores import pxap, scaled

from wsseg.errors import InputError
from wsseg.metrics import PixelAveragePrecision


def score(maps, objects, ignored=None, levels=1000):
    measure = PixelAveragePrecision(levels)
    for values, mask, left_out in zip(maps, objects, ignored or [None] * len(maps)):
        measure.update(values, mask, left_out)
    return measure.result()


@pytest.fixture
def drawn():
    random = np.random.default_rng(0)
    masks = [random.random(shape) < 0.3 for shape in ((5, 7), (6, 4), (3, 3))]
    maps = [
        np.round(random.random(mask.shape) + 0.5 * mask, 2) * factor for mask, factor in zip(masks, (1, 7, 3))
    ]
    return maps, masks


@pytest.mark.parametrize("levels", [1000, 10, 1])
def test_equal_to_sorting_every_pixel(drawn, levels):
    maps, masks = drawn
    assert score(maps, masks, levels=levels)["pxap"] == pytest.approx(pxap(maps, masks, levels), abs=1e-9)


def test_rounding_to_levels_costs_little(drawn):
    maps, masks = drawn
    scores = [v for values in maps for row in scaled(values) for v in row]
    exact = average_precision(scores, np.concatenate([mask.ravel() for mask in masks]))
    assert score(maps, masks)["pxap"] == pytest.approx(exact, abs=0.01)


def test_ignored_pixels_are_not_counted(drawn):
    maps, masks = drawn
    ignored = [np.random.default_rng(1).random(mask.shape) < 0.3 for mask in masks]
    found = score(maps, masks, ignored)
    assert found["pxap"] == pytest.approx(pxap(maps, masks, 1000, ignored), abs=1e-9)
    kept = np.concatenate([mask[~left_out] for mask, left_out in zip(masks, ignored)])
    assert found["object_share"] == pytest.approx(kept.mean())
    assert found["pxap"] != score(maps, masks)["pxap"]


def test_by_hand():
    mask = np.array([[True, True, False, False]])
    assert score([np.array([[1.0, 0.8, 0.3, 0.0]])], [mask])["pxap"] == 1
    # At 1 precision is 0 / 1, at 0.8 it is 1 / 2 with half the recall, at 0.3 it is 2 / 3 with all of it.
    assert score([np.array([[0.8, 0.3, 1.0, 0.0]])], [mask])["pxap"] == pytest.approx(0.5 / 2 + 0.5 * 2 / 3)
    # A constant map is right as often as pixels are of the object.
    assert score([np.ones((1, 4))], [mask])["pxap"] == 0.5


def test_one_threshold_must_serve_all_maps():
    good = np.array([[1.0, 0.6, 0.0, 0.0]])
    mask = np.array([[True, True, False, False]])
    weak = np.array([[1.0, 0.2, 0.1, 0.0]])
    half = np.array([[1.0, 0.6, 0.5, 0.0]])
    assert score([good, weak], [mask, mask])["pxap"] == 1
    assert score([half, weak], [mask, mask])["pxap"] < 1 == score([half], [mask])["pxap"]


def test_no_object_at_all():
    assert score([np.eye(2)], [np.zeros((2, 2), bool)])["pxap"] is None
    assert PixelAveragePrecision().result() == {"pxap": None, "object_share": None, "levels": 1000, "maps": 0}


def test_wrong_input():
    measure = PixelAveragePrecision()
    with pytest.raises(InputError, match=r"`object_hw` is \(3, 2\), its map \(2, 2\)"):
        measure.update(np.eye(2), np.zeros((3, 2), bool))
    with pytest.raises(InputError, match="`ignored_hw` must be bool, or hold 0 and 1"):
        measure.update(np.eye(2), np.zeros((2, 2), bool), np.full((2, 2), 255, np.uint8))
    with pytest.raises(InputError, match="`object_hw` must be bool"):
        measure.update(np.eye(2), np.full((2, 2), 5))
    assert measure.maps == 0
    with pytest.raises(InputError, match="whole number from 1"):
        PixelAveragePrecision(0)
