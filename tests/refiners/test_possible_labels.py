import numpy as np
import pytest
from references.possible_labels import possible

from wsseg.artifacts import ClassMaps
from wsseg.errors import InputError
from wsseg.objects.instances import Instances
from wsseg.refiners import DenseCRF, label_image
from wsseg.refiners.possible_labels import possible_labels, with_marked

RANDOM = np.random.default_rng(0)


def test_marks_and_boxes_against_the_twin():
    marks = RANDOM.choice([0, 3, 7, 255, 255], (9, 11)).astype(np.uint8)
    found = possible_labels(np.array([7, 3, 9]), marks, None)
    assert np.array_equal(found, possible([7, 3, 9], (9, 11), marks.tolist()))
    corners = RANDOM.uniform(-1, 10, (6, 2, 2))
    boxes = np.concatenate([corners.min(1), corners.max(1)], axis=1)
    ids = [3, 7, 3, 3, 5, 7]
    found = possible_labels(np.array([7, 3, 9]), None, Instances(ids, boxes, (9, 11)))
    # float32 boxes, as instances hold them
    rows = [(c, *row) for c, row in zip(ids, boxes.astype(np.float32).tolist())]
    expected = np.array(possible([7, 3, 9], (9, 11), None, rows))
    assert np.array_equal(found, expected) and expected[1:3].any() and not found[3].any()


def test_marks_are_kept_and_their_class_may_have_no_map():
    maps = ClassMaps(np.array([2]), np.linspace(1, 0, 8, dtype=np.float32)[None, None], (1, 8))
    marks = np.array([[0, 255, 255, 255, 255, 2, 255, 5]], np.uint8)
    maps = with_marked(maps, marks)
    assert maps.class_ids.tolist() == [2, 5]
    kept = possible_labels(maps.class_ids, marks, None)
    # Maps of 1, 0.86, 0.71, 0.57, 0.43, 0.29, 0.14, 0 and a background of 0.5.
    assert label_image(None, maps, level=0.5).tolist() == [[2, 2, 2, 2, 0, 0, 0, 0]]
    assert label_image(None, maps, level=0.5, possible=kept).tolist() == [[0, 2, 2, 2, 0, 2, 0, 5]]
    # The band from 0.3 to 0.7 is unsure, but not where somebody has marked.
    assert label_image(None, maps, confident=(0.7, 0.3), possible=kept).tolist() == [
        [0, 2, 2, 255, 255, 2, 0, 5]
    ]


@pytest.mark.parametrize("background", ["constant", "power"])
def test_a_class_cannot_be_outside_of_its_boxes(background):
    maps = ClassMaps(np.array([1, 4]), np.array([[[0.9] * 6], [[0.6] * 6]], np.float32), (1, 6))
    boxes = Instances([1, 4], [[0, 0, 2, 1], [1, 0, 4, 1]], (1, 6))
    kept = possible_labels(maps.class_ids, None, boxes)
    level = {"constant": 0.3, "power": 4}[background]
    # (1 - 0.6)^4 = 0.03: less background than map; outside of both boxes (1 - 0)^4 = 1.
    assert label_image(None, maps, background, level, possible=kept).tolist() == [[1, 1, 4, 4, 0, 0]]


@pytest.mark.parametrize("unary", ["labels", "scores"])
def test_the_crf_spreads_marks_and_does_not_leave_boxes(unary):
    """Two flat halves; the maps know nothing, a stroke in each half says which is which."""
    image = np.zeros((16, 16, 3), np.uint8)
    image[:, 8:] = 220
    crf = DenseCRF.preset("irn")
    maps = ClassMaps(np.array([3]), np.full((1, 4, 4), 0.5, np.float32), (16, 16))
    marks = np.full((16, 16), 255, np.uint8)
    marks[2:14, 2:6], marks[2:14, 10:14] = 3, 0
    marks[0, 15] = 3  # against all appearance
    kept = possible_labels(maps.class_ids, marks, None)
    without = label_image(image, maps, level=0.501, crf=crf, unary=unary)
    assert not without.any()
    found = label_image(image, maps, level=0.501, crf=crf, unary=unary, possible=kept)
    assert np.all(found[:, :8] == 3) and found[0, 15] == 3 and not found[1:, 8:].any()
    image[10:] = 220  # the object is the dark upper left; its box is a row and two columns too large
    boxes = Instances([3], [[0, 0, 10, 11]], (16, 16))
    full = ClassMaps(np.array([3]), np.ones((1, 4, 4), np.float32), (16, 16))
    kept = possible_labels(full.class_ids, None, boxes)
    assert np.all(label_image(image, full, level=0.3, crf=crf, unary=unary) == 3)
    found = label_image(image, full, level=0.3, crf=crf, unary=unary, possible=kept)
    assert np.all(found[:10, :8] == 3) and not found[:, 10:].any() and not found[11:].any()


def test_without_restrictions_nothing_changes():
    image = RANDOM.integers(0, 256, (12, 10, 3), np.uint8)
    maps = ClassMaps(np.array([1, 2]), RANDOM.random((2, 6, 5)).astype(np.float32), (12, 10))
    free = np.ones((3, 12, 10), bool)
    for unary in ("labels", "scores"):
        options = {"level": 0.6, "crf": DenseCRF.preset("irn"), "unary": unary}
        assert np.array_equal(
            label_image(image, maps, **options, possible=free), label_image(image, maps, **options)
        )


def test_bad_input():
    maps = ClassMaps(np.array([2]), np.ones((1, 1, 2), np.float32), (1, 2))
    with pytest.raises(InputError, match="`marks` or `boxes` must be given"):
        possible_labels(maps.class_ids, None, None)
    with pytest.raises(InputError, match=r"`marks` hold \[5\], which have no maps"):
        possible_labels(maps.class_ids, np.array([[5, 255]], np.uint8), None)
    for wrong in (np.ones((1, 1, 2), bool), np.zeros((2, 1, 2), bool)):
        with pytest.raises(InputError, match=r"`possible` must be .* with a label for each pixel"):
            label_image(None, maps, possible=wrong)
