"""Points, scribbles and boxes drawn from masks: where they may lie, and that the seed alone decides."""

import numpy as np
import pytest
from scipy import ndimage

from wsseg.annotations.boxes import simulated_boxes
from wsseg.annotations.points import JITTER, dot, inscribed_point, simulated_points
from wsseg.annotations.regions import marked_regions
from wsseg.annotations.scribbles import longest_path, simulated_scribbles, stroke
from wsseg.errors import InputError
from wsseg.objects.instances import Instances


def seeded(number=0):
    return np.random.default_rng(number)


def shape(*rectangles, size=(40, 60)):
    region = np.zeros(size, bool)
    for top, left, bottom, right in rectangles:
        region[top:bottom, left:right] = True
    return region


ANGLE = shape((5, 5, 35, 12), (28, 5, 35, 50))  # an L of two bars, 7 pixels wide
BLOBS = [ANGLE, shape((0, 0, 40, 60)), shape((3, 3, 4, 4)), shape((10, 0, 12, 60)), ~ANGLE]


@pytest.fixture(scope="module")
def regions():
    """Blobs of noise: of any form, with holes, in several pieces."""
    values = ndimage.gaussian_filter(seeded().normal(size=(60, 80)), 4)
    return [(1, values > 0.05), (2, values < -0.05), (0, abs(values) <= 0.05)]


def twin_depth(region, row, column):
    """The distance from a pixel to the nearest one outside of the region, the image's surroundings included."""
    height, width = region.shape
    outside = [
        (y, x)
        for y in range(-1, height + 1)
        for x in range(-1, width + 1)
        if not (0 <= y < height and 0 <= x < width) or not region[y, x]
    ]
    return min(np.hypot(y - row, x - column) for y, x in outside)


@pytest.mark.parametrize("region", BLOBS)
def test_a_point_lies_in_the_middle_of_the_largest_circle_give_or_take(region):
    depths = ndimage.distance_transform_edt(np.pad(region, 1))[1:-1, 1:-1]
    radius = depths.max()
    found = {inscribed_point(region, seeded(number)) for number in range(60)}
    middle = np.unravel_index(depths.argmax(), depths.shape)
    assert twin_depth(region, *middle) == pytest.approx(radius)
    for place in found:
        assert region[place] and np.hypot(*np.subtract(place, middle)) <= JITTER * radius
    assert len(found) > 5 or radius < 4
    assert len(found) == 1 or radius >= 2  # at 1 there is no other pixel within half of it


def test_a_dot_by_hand():
    region = shape((1, 1, 6, 4), size=(7, 7))
    assert np.argwhere(dot((1, 1), region, 1)).tolist() == [[1, 1]]
    assert np.argwhere(dot((1, 1), region, 2)).tolist() == [[1, 1], [1, 2], [2, 1]]  # it stays in its region
    assert np.argwhere(dot((3, 2), region, 3)).tolist() == [[y, x] for y in (2, 3, 4) for x in (1, 2, 3)]


def test_the_longest_path_by_hand():
    skeleton = np.zeros((6, 9), bool)
    skeleton[2, 1:8] = True  # a bar, a branch of two, and a far pixel
    skeleton[3, 4] = skeleton[4, 4] = skeleton[5, 8] = True
    assert sorted(longest_path(skeleton).tolist()) == [[2, x] for x in range(1, 8)]
    assert longest_path(np.zeros((3, 3), bool)).shape == (0, 2)
    assert longest_path(np.eye(1, dtype=bool)).tolist() == [[0, 0]]
    diagonal = longest_path(np.eye(5, dtype=bool)).tolist()
    assert diagonal in ([[i, i] for i in range(5)], [[i, i] for i in range(4, -1, -1)])


def test_a_stroke_follows_the_middle_of_both_bars():
    drawn = stroke(ANGLE, seeded(1), width=1)
    rows, columns = np.nonzero(drawn)
    assert ANGLE[drawn].all() and ndimage.label(drawn, np.ones((3, 3)))[1] == 1
    # The bars are rows 28..34 and columns 5..11: their middles are row 31 and column 8; the corner is cut smooth.
    assert np.all((abs(rows - 31) <= 2) | (abs(columns - 8) <= 2))
    assert rows.min() <= 15 and columns.max() >= 35  # it goes through both, less a fifth at most
    thick = stroke(ANGLE, seeded(1), width=5)
    assert np.all(thick[drawn]) and ANGLE[thick].all() and 3 < thick.sum() / drawn.sum() < 6


@pytest.mark.parametrize("draw", [simulated_points, simulated_scribbles])
def test_marks_stay_in_their_regions(draw, regions):
    marks = draw(regions, seeded(), 3)
    assert marks.dtype == np.uint8 and marks.shape == (60, 80)
    for label, region in regions:
        assert (marks == label).any() and region[marks == label].all()
    assert (marks == 255).mean() > 0.8
    assert np.array_equal(marks, draw(regions, seeded(), 3))
    assert not np.array_equal(marks, draw(regions, seeded(1), 3))
    for region in BLOBS:  # one of a single pixel, and one of two rows, among them
        assert region[draw([(9, region)], seeded(), 3) == 9].any()


def test_scribbles_say_more_than_points(regions):
    points, scribbles = (draw(regions, seeded(), 3) for draw in (simulated_points, simulated_scribbles))
    assert (scribbles != 255).sum() > 3 * (points != 255).sum()


def test_boxes_by_hand_and_loosened():
    regions = [(4, shape((5, 10, 15, 30))), (2, shape((0, 50, 40, 60))), (0, shape((0, 0, 40, 10)))]
    tight = simulated_boxes(regions, seeded())
    assert tight.class_ids.tolist() == [4, 2] and tight.masks is None and tight.size_hw == (40, 60)
    assert tight.boxes_xyxy.tolist() == [[10, 5, 30, 15], [50, 0, 60, 40]]
    drawn = np.array([simulated_boxes(regions, seeded(number), 0.2).boxes_xyxy for number in range(200)])
    out = (drawn - tight.boxes_xyxy) * [-1, -1, 1, 1]
    assert out.min() >= 0
    assert np.all(out[:, 0].max(0) <= [4, 2, 4, 2]) and np.all(out[:, 0].max(0) > [3.6, 1.8, 3.6, 1.8])
    assert np.allclose(out[:, 0].mean(0), [2, 1, 2, 1], rtol=0.15)
    assert drawn[:, 1, 1:].tolist() == [[0, 60, 40]] * 200  # the image's borders hold
    with pytest.raises(InputError, match="`loosened` must be 0 or more"):
        simulated_boxes(regions, seeded(), -0.1)


def test_regions_are_the_objects_or_the_pieces_of_a_class():
    mask = np.array([[1, 1, 0, 2, 255], [0, 0, 0, 0, 2], [1, 0, 0, 0, 0]], np.uint8)
    found = marked_regions(mask, None)
    assert [(label, int(region.sum())) for label, region in found] == [(1, 2), (1, 1), (2, 2), (0, 9)]
    masks = np.zeros((4, 3, 5), bool)
    masks[0, :, 0] = True  # two pixels of class 1, one of the background
    masks[1, 0, 1] = masks[2, 0, 3] = masks[3] = True
    objects = Instances.of_masks(masks, [1, 1, 1, 2], crowd=[False, False, False, True])
    found = marked_regions(mask, objects)
    assert [(label, int(region.sum())) for label, region in found] == [(1, 2), (1, 1), (0, 9)]
    assert marked_regions(np.full((2, 2), 255, np.uint8), None) == []
