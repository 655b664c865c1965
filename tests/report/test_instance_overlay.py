import numpy as np
import pytest

from wsseg.errors import InputError
from wsseg.objects.instances import Instances
from wsseg.report.instance_overlay import _meet, _place, draw_instances, instance_colours

NAMES = ["cat", "dog"]
RED, BLUE = np.array([[255, 0, 0]], np.uint8), np.array([[0, 0, 255]], np.uint8)


def near(picture, colour):
    """Return where the picture has a colour."""
    return np.abs(picture.astype(int) - colour).max(axis=-1) < 12


def test_masks_are_blended_in_the_colour_of_their_object():
    masks = np.zeros((2, 360, 180), bool)
    masks[0, 200:300, 20:80] = masks[1, 200:300, 100:160] = True
    objects = Instances.of_masks(masks, [1, 2])
    image = np.full((360, 180, 3), 100, np.uint8)
    drawn = draw_instances(image, objects, NAMES, np.concatenate([RED, BLUE]), alpha=0.5)
    assert drawn.shape == (360, 180, 3) and drawn.dtype == np.uint8 and (image == 100).all()
    assert drawn[250, 50].tolist() == [178, 50, 50] and drawn[250, 130].tolist() == [50, 50, 178]
    assert drawn[100, 50].tolist() == [100, 100, 100]


@pytest.mark.parametrize("size_hw", [(60, 100), (600, 1000), (6, 10)])
def test_a_picture_is_as_large_as_it_is_shown(size_hw):
    high, wide = size_hw
    box = Instances([1], [[0.5 * wide, 0.5 * high, 0.9 * wide, 0.9 * high]], size_hw, scores=[0.5])
    drawn = draw_instances(np.zeros((*size_hw, 3), np.uint8), box, NAMES, RED)
    assert drawn.shape == (216, 360, 3)
    lines = near(drawn, (255, 0, 0))
    assert lines[120:190, 180:182].all() and lines[108:110, 250:320].all()  # left side and top of the box
    assert lines[192:194, 182:322].all() and not lines[196:].any() and not lines[:, :178].any()


def test_labels_stay_in_the_picture():
    """A box in each corner: its label's ground, of the box's colour, is never cut off."""
    image = np.zeros((300, 360, 3), np.uint8)
    for left, top in ((0, 0), (330, 0), (0, 270), (330, 270)):
        box = Instances([1], [[left, top, left + 30, top + 30]], (300, 360), scores=[0.93])
        drawn = draw_instances(image, box, ["hippopotamus"], RED).max(axis=-1) > 0
        rows = drawn[:, 100 if left == 0 else 260]  # beside the box there is its label only
        assert 16 <= rows.sum() <= 22, (left, top)
        columns = drawn[rows].any(axis=0)
        assert 120 <= columns.sum() <= 200 and columns[0 if left == 0 else -1], (left, top)
    wide = draw_instances(image, box, ["a name that is much too long for the picture that it is in"], RED)
    assert near(wide, (255, 0, 0)).any(axis=0).sum() >= 350


def test_labels_keep_off_each_other():
    taken = []
    for _ in range(4):
        place = _place((50, 50, 90, 90), (60, 18), (360, 240), taken)
        assert not any(_meet(place, other) for other in taken)
        taken.append(place)
    for _ in range(9):  # no room left: still in the picture
        place = _place((50, 50, 90, 90), (60, 18), (360, 240), taken)
        assert place[0] >= 0 and place[1] >= 0 and place[2] <= 360 and place[3] <= 240
        taken.append(place)


def test_writing_can_be_read_on_its_ground():
    box = Instances([1], [[10, 100, 200, 200]], (360, 360))
    image = np.full((360, 360, 3), 128, np.uint8)
    for ground, letters in (([255, 255, 0], (0, 0, 0)), ([0, 0, 128], (255, 255, 255))):
        drawn = draw_instances(image, box, NAMES, np.array([ground], np.uint8))
        assert near(drawn, letters).sum() > 20, ground


def test_small_objects_stay_in_sight():
    masks = np.zeros((2, 200, 200), bool)
    masks[1, 50:150, 50:150] = masks[0, 90:100, 90:100] = True
    both = Instances.of_masks(masks, [1, 1])
    image, colours = np.zeros((200, 200, 3), np.uint8), np.concatenate([RED, BLUE])
    drawn = draw_instances(image, both, NAMES, colours, labels=["", ""], side=200, alpha=1)
    assert near(drawn, (255, 0, 0))[92:98, 92:98].all()
    # One pixel of 2,000 in a picture of 200.
    masks = np.zeros((1, 2000, 2000), bool)
    masks[0, 1001, 1001] = True
    dot = Instances(np.array([1]), [[0, 0, 0, 0]], (2000, 2000), masks)
    drawn = draw_instances(
        np.zeros((2000, 2000, 3), np.uint8), dot, NAMES, RED, labels=[""], side=200, alpha=1
    )
    assert near(drawn, (255, 0, 0))[100, 100]


def test_nothing_found():
    none = Instances([], np.zeros((0, 4)), (40, 40), np.zeros((0, 40, 40), bool), scores=[])
    assert (draw_instances(np.full((40, 40, 3), 7, np.uint8), none, NAMES) == 7).all()


def test_colours_of_neighbours_differ():
    colours = instance_colours(40).astype(int)
    assert np.abs(np.diff(colours, axis=0)).max(axis=1).min() > 80
    assert len(np.unique(colours, axis=0)) == 40 and instance_colours(0).shape == (0, 3)


def test_wrong_input():
    image, box = np.zeros((40, 40, 3), np.uint8), Instances([3], [[0, 0, 9, 9]], (40, 40))
    with pytest.raises(InputError, match="class 3; `class_names` has 2 names"):
        draw_instances(image, box, NAMES)
    with pytest.raises(InputError, match=r"\(H, W\) \(40, 40\); got \(20, 40, 3\)"):
        draw_instances(image[:20], box, NAMES)
    with pytest.raises(InputError, match="uint8 RGB"):
        draw_instances(image / 255, box, NAMES)
