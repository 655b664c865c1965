import numpy as np
import pytest

from wsseg.errors import InputError
from wsseg.metrics import ObjectMisses, find_misses, worst_images
from wsseg.objects.instances import Instances

SIZE_HW = (60, 60)


def boxes(*rows, scores=None, ids=None, crowd=None):
    return Instances(np.ones(len(rows)) if ids is None else ids, rows, SIZE_HW, None, scores, crowd)


def filled(instances):
    """Return the same objects with their boxes as masks."""
    masks = np.zeros((len(instances), *SIZE_HW), bool)
    for mask, (left, top, right, bottom) in zip(masks, instances.boxes_xyxy.astype(int)):
        mask[top:bottom, left:right] = True
    return Instances(
        instances.class_ids,
        instances.boxes_xyxy,
        SIZE_HW,
        masks,
        instances.scores,
        instances.crowd,
    )


@pytest.mark.parametrize("kind", ["boxes", "masks"])
def test_found_missed_and_false_alarms_by_hand(kind):
    true = boxes([0, 0, 10, 10], [20, 20, 30, 30], [40, 0, 50, 10], ids=[1, 1, 2])
    found = boxes(
        [0, 0, 10, 6],  # IoU 0.6 with the first
        [0, 0, 10, 10],  # equal to the first, which a surer one has taken
        [20, 20, 30, 24],  # IoU 0.4 with the second
        [40, 0, 50, 10],  # on the third, of another class
        [40, 0, 50, 10],  # on the third, not sure enough
        scores=[0.9, 0.8, 0.7, 0.95, 0.4],
        ids=[1, 1, 1, 1, 2],
    )
    misses = find_misses(filled(found), filled(true), kind)
    assert misses.missed.tolist() == [False, True, True]
    assert misses.false_alarms.tolist() == [False, True, True, True, False]
    assert (misses.found, misses.count) == (1, 5) and misses.f1 == pytest.approx(2 / 7)
    unsure = find_misses(filled(found), filled(true), kind, score=0.3)
    assert unsure.missed.tolist() == [False, True, False] and unsure.found == 2
    assert find_misses(filled(found), filled(true), kind, iou=0.4).found == 2


def test_a_detection_takes_the_object_that_it_overlaps_most():
    true = boxes([0, 0, 10, 10], [2, 0, 12, 10])
    found = boxes([2, 0, 12, 10], [0, 0, 10, 10], scores=[0.9, 0.8])
    assert find_misses(found, true, "boxes").count == 0


@pytest.mark.parametrize("kind", ["boxes", "masks"])
def test_crowds_excuse_and_are_never_missed(kind):
    true = boxes([0, 0, 50, 50], [52, 52, 58, 58], crowd=[True, False])
    found = boxes([5, 5, 15, 15], [20, 20, 30, 30], [45, 20, 57, 30], scores=[0.9, 0.9, 0.9])
    misses = find_misses(filled(found), filled(true), kind)
    assert misses.missed.tolist() == [False, True] and misses.false_alarms.tolist() == [False, False, True]
    assert misses.found == 0


def test_none_at_all():
    misses = find_misses(boxes(scores=[]), boxes(), "masks")
    assert misses.count == 0 and misses.f1 is None
    assert find_misses(boxes(scores=[]), boxes([0, 0, 1, 1]), "boxes").f1 == 0
    empty = boxes([0, 0, 0, 0], scores=[0.9])
    assert find_misses(empty, boxes([0, 0, 0, 0]), "boxes").count == 2


def test_images_are_ranked_by_misses():
    def image(missed, alarms, found):
        return ObjectMisses(np.ones(missed, bool), np.ones(alarms, bool), found)

    images = {"a": image(1, 0, 5), "b": image(0, 0, 9), "c": image(2, 2, 1), "d": image(1, 0, 0)}
    assert worst_images(images, 9) == ["c", "d", "a"] and worst_images(images, 1) == ["c"]


def test_wrong_input():
    one = boxes([0, 0, 1, 1], scores=[0.9])
    with pytest.raises(InputError, match="have no scores"):
        find_misses(boxes(), one)
    with pytest.raises(InputError, match="try `kind` boxes"):
        find_misses(one, one)
    with pytest.raises(InputError, match="`kind` must be"):
        find_misses(one, one, "points")
    with pytest.raises(InputError, match=r"the truth \(2, 2\)"):
        find_misses(one, Instances([], np.zeros((0, 4)), (2, 2)))
