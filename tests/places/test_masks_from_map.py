import subprocess
import sys

import numpy as np
import pytest
from references.places import flood_components, tight_box

from wsseg.artifacts import ClassMaps
from wsseg.errors import InputError
from wsseg.places import boxes_from_map, components, map_level, masks_from_map
from wsseg.refiners import otsu_level

MAP = np.array(
    [
        [0.9, 0.3, 0.0, 0.0, 0.4],
        [0.0, 0.3, 0.0, 0.4, 0.4],
        [0.0, 0.0, 0.0, 0.4, 0.4],
        [0.6, 0.0, 0.0, 0.0, 0.0],
    ]
)
"""Above 0.2: A = {0.9, 0.3, 0.3}, mean 0.5; B = 5 x 0.4, mean 0.4; C = one pixel of 0.6."""


def test_places_by_hand():
    found = masks_from_map(MAP, level=0.2)
    assert found.boxes_xyxy.tolist() == [[0, 3, 1, 4], [0, 0, 2, 2], [3, 0, 5, 3]]  # C, A, B
    np.testing.assert_allclose(found.scores, [0.6, 0.5, 0.4], rtol=1e-6)
    assert found.areas.tolist() == [1, 3, 5]
    assert found.level == 0.2
    assert found.masks.shape == (3, 4, 5) and found.masks.dtype == bool
    assert np.argwhere(found.masks[1]).tolist() == [[0, 0], [0, 1], [1, 1]]
    assert found.masks.sum(axis=(1, 2)).tolist() == [1, 3, 5]

    highest = masks_from_map(MAP, level=0.2, score="max")
    np.testing.assert_allclose(highest.scores, [0.9, 0.6, 0.4], rtol=1e-6)
    assert highest.areas.tolist() == [3, 1, 5]

    largest = masks_from_map(MAP, level=0.2, components="largest")
    assert largest.boxes_xyxy.tolist() == [[3, 0, 5, 3]] and largest.masks.sum() == 5
    # At 0.3 only 0.9 itself is left of A: strictly above.
    assert masks_from_map(MAP, level=0.3).areas.tolist() == [1, 1, 5]
    assert masks_from_map(MAP, level=0.2, min_area=3).areas.tolist() == [3, 5]
    none = masks_from_map(MAP, level=0.2, min_area=6, components="largest")
    assert none.boxes_xyxy.shape == (0, 4) and none.masks.shape == (0, 4, 5) and none.scores.shape == (0,)


def test_equal_scores_are_ordered_by_size_then_reading_order():
    values = np.array([[0.5, 0.0, 0.5, 0.0, 0.5, 0.5]])
    found = masks_from_map(values, level=0.2)
    assert found.boxes_xyxy.tolist() == [[4, 0, 6, 1], [0, 0, 1, 1], [2, 0, 3, 1]]


@pytest.mark.parametrize("seed", range(5))
def test_components_equal_flood_fill(seed):
    rng = np.random.default_rng(seed)
    mask = rng.random((11, 8)) < rng.uniform(0.1, 0.7)
    found, expected = components(mask), flood_components(mask)
    assert found.boxes_xyxy.tolist() == [tight_box(part) for part in expected]
    assert found.areas.tolist() == [len(part) for part in expected]
    for number, part in enumerate(expected, start=1):
        assert np.argwhere(found.labels_hw == number).tolist() == [list(pixel) for pixel in part]
    assert (found.labels_hw > 0).sum() == mask.sum()


@pytest.mark.parametrize("seed", range(3))
def test_scores_are_those_of_the_pixels(seed):
    values = np.random.default_rng(seed).random((9, 9)) ** 2
    for score, measure in (("mean", np.mean), ("max", np.max)):
        found = masks_from_map(values, level=0.4, score=score)
        assert len(found.scores) > 1
        np.testing.assert_allclose(found.scores, [measure(values[mask]) for mask in found.masks], rtol=1e-5)
        assert (np.diff(found.scores) <= 0).all()


def test_boxes_are_those_of_the_masks():
    boxes, scores = boxes_from_map(MAP, level=0.2, min_area=2, score="max")
    expected = masks_from_map(MAP, level=0.2, min_area=2, score="max")
    assert boxes.tolist() == expected.boxes_xyxy.tolist() and scores.tolist() == expected.scores.tolist()


def test_otsu_parts_two_modes():
    rng = np.random.default_rng(0)
    values = rng.uniform(0.0, 0.2, (20, 20))
    values[5:12, 3:9] = rng.uniform(0.7, 1.0, (7, 6))
    assert boxes_from_map(values)[0].tolist() == [[3, 5, 9, 12]]
    assert map_level(values) == otsu_level(
        [ClassMaps(np.array([1]), values[None].astype(np.float32), (20, 20))]
    )


def test_a_map_of_one_value_has_no_place():
    for value in (0.0, 0.5, 1.0):
        found = masks_from_map(np.full((3, 4), value))
        assert found.boxes_xyxy.shape == (0, 4)
        assert found.level == value
    assert boxes_from_map(np.full((3, 4), 0.5), level=0.2)[0].tolist() == [[0, 0, 4, 3]]


def test_wrong_options():
    for options, message in (
        ({"level": 1.2}, "`level` must be"),
        ({"level": np.nan}, "`level` must be"),
        ({"level": "otus"}, "`level` must be"),
        ({"level": True}, "`level` must be"),
        ({"level": [0.1]}, "`level` must be"),
        ({"components": "bigest"}, "`components` 'bigest'"),
        ({"score": "median"}, "`score` 'median'"),
        ({"min_area": 0}, "`min_area`"),
        ({"min_area": 2.5}, "`min_area`"),
    ):
        with pytest.raises(InputError, match=message):
            boxes_from_map(MAP, **options)
    with pytest.raises(InputError, match="nan"):
        masks_from_map(np.array([[np.nan, 1.0]]))
    with pytest.raises(InputError, match="one map at a time"):
        masks_from_map(MAP[None])
    with pytest.raises(InputError, match="`mask_hw` must be"):
        components(MAP)


def test_imports_neither_tensorflow_nor_keras():
    program = "import sys, wsseg.places; sys.exit(', '.join({'tensorflow', 'keras'} & set(sys.modules)) or 0)"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
