"""Crops that are placed on an object: in the stated share, each class equally often, and the object is really there."""

import numpy as np
import pytest
import tensorflow as tf

from wsseg.loading.augment import scale_and_crop
from wsseg.loading.object_crops import ANYWHERE, point_to_show


def drawn(count, seed=0):
    return np.random.default_rng(seed).random((count, 3), dtype=np.float32)


def test_share_classes_and_pixels_are_drawn_evenly():
    mask = np.zeros((10, 20), np.uint8)
    mask[0, :15], mask[5, 3], mask[9] = (
        1,
        4,
        255,
    )  # a class of 15 pixels, one of a single pixel, and unsure ones
    points = [point_to_show(mask, numbers, 0.5) for numbers in drawn(4000)]
    on_object = [point for point in points if point[0] >= 0]
    found = [int(mask[int(y * 10), int(x * 20)]) for y, x in on_object]
    assert set(found) == {1, 4}
    assert len(on_object) / 4000 == pytest.approx(0.5, abs=0.05)  # six standard deviations
    assert found.count(4) / len(found) == pytest.approx(0.5, abs=0.07)
    columns = [int(x * 20) for (y, x), k in zip(on_object, found) if k == 1]
    assert min(np.bincount(columns)) > 30  # 67 expected of each of 15, deviation 8


@pytest.mark.parametrize("mask", [np.zeros((4, 5), np.uint8), np.full((4, 5), 255, np.uint8)])
def test_a_mask_without_an_object_leaves_the_crop_anywhere(mask):
    assert point_to_show(mask, np.float32([0, 0.5, 0.5]), 1.0).tolist() == ANYWHERE.tolist()


@pytest.mark.parametrize("size_hw", [(40, 90), (90, 40), (20, 25)])
@pytest.mark.parametrize("long_side", [35.0, 150.0])
def test_the_pixel_is_in_the_crop_wherever_it_lies(size_hw, long_side):
    height, width = size_hw
    for index, (y, x) in enumerate(np.argwhere(np.ones(size_hw))[:: height * width // 25]):
        mask = np.zeros((*size_hw, 1), np.uint8)
        mask[max(y - 2, 0) : y + 3, max(x - 2, 0) : x + 3] = 7  # survives the scaling
        point = tf.constant([(y + 0.5) / height, (x + 0.5) / width], tf.float32)
        offset = tf.constant(drawn(1, index)[0, :2])
        image = tf.zeros((*size_hw, 3), tf.uint8)
        _, labels = scale_and_crop(image, tf.constant(mask), tf.constant(long_side), offset, 32, point)
        assert (labels[..., 0].numpy() == 7).any()


def test_the_offset_is_the_place_in_the_crop_and_a_negative_point_changes_nothing():
    image, mask = tf.zeros((100, 100, 3), tf.uint8), np.zeros((100, 100, 1), np.uint8)
    mask[50, 60] = 1
    point, offset = tf.constant([0.505, 0.605]), tf.constant([0.25, 0.75])
    arguments = (image, tf.constant(mask), tf.constant(100.0), offset, 40)
    _, labels = scale_and_crop(*arguments, point)
    assert np.argwhere(labels[..., 0].numpy() == 1).tolist() == [[10, 30]]  # 0.25 and 0.75 of 40
    for first, second in zip(scale_and_crop(*arguments), scale_and_crop(*arguments, tf.constant(ANYWHERE))):
        np.testing.assert_array_equal(first, second)
