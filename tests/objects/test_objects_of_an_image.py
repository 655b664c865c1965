import numpy as np
import pytest

from wsseg.errors import InputError
from wsseg.objects.instances import Instances, boxes_of_masks, instances_of_maps


def test_boxes_go_from_edge_to_edge_and_an_empty_mask_has_none():
    masks = np.zeros((3, 5, 7), bool)
    masks[0, 0, 0] = True
    masks[1, 1:4, 2:7] = True
    assert boxes_of_masks(masks).tolist() == [[0, 0, 1, 1], [2, 1, 7, 4], [0, 0, 0, 0]]


def test_the_class_of_an_instance_is_that_of_most_of_its_pixels():
    numbers = np.array([[1, 1, 1, 0], [2, 2, 255, 255], [3, 3, 3, 0]])
    classes = np.array([[4, 4, 6, 0], [255, 5, 255, 2], [0, 0, 255, 1]])
    found = instances_of_maps(numbers, classes)
    assert found.class_ids.tolist() == [4, 5]
    assert found.masks.sum(axis=(1, 2)).tolist() == [3, 2]
    assert found.scores is None and not found.crowd.any()


def test_none_at_all():
    found = instances_of_maps(np.zeros((3, 4), int), np.zeros((3, 4), int))
    assert len(found) == 0 and found.masks.shape == (0, 3, 4) and found.boxes_xyxy.shape == (0, 4)


def test_picking_keeps_the_rows_together():
    masks = np.eye(3, dtype=bool)[:, None]
    found = Instances.of_masks(masks, [1, 2, 3], scores=np.array([0.1, 0.5, 0.9]), crowd=[0, 0, 1])
    best = found.where(np.argsort(-found.scores)[:2])
    assert best.class_ids.tolist() == [3, 2] and best.crowd.tolist() == [True, False]
    np.testing.assert_array_equal(best.masks, masks[[2, 1]])
    assert len(found.where(found.scores > 1)) == 0


def test_rows_that_do_not_fit_are_named():
    with pytest.raises(InputError, match="`scores` has 1 rows for 2 `class_ids`"):
        Instances([1, 2], np.zeros((2, 4)), (3, 3), scores=[0.5])
