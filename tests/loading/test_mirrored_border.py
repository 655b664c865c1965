"""The mirrored border: NumPy's own padding, and every pixel of the image can be labelled."""

import numpy as np
import pytest
import tensorflow as tf

from wsseg.loading.augment import scale_and_crop
from wsseg.loading.mirrored_border import with_mirrored_border

RANDOM = np.random.default_rng(0)


@pytest.mark.parametrize("size_hw", [(20, 30), (7, 3), (1, 4), (1, 1)])
def test_equals_numpy_also_where_the_border_is_wider_than_the_image(size_hw):
    image = RANDOM.integers(0, 256, (*size_hw, 3), np.uint8)
    mask = RANDOM.integers(0, 9, (*size_hw, 1), np.uint8)
    found, labels = with_mirrored_border(image, mask, float(max(size_hw)), 8)
    border = ((8, 8), (8, 8), (0, 0))
    # NumPy repeats the only pixel of an axis, too.
    np.testing.assert_allclose(found, np.pad(image, border, "reflect"), atol=1e-3)
    np.testing.assert_array_equal(labels, np.pad(mask, border, constant_values=255))
    assert labels.dtype == tf.uint8


def test_scales_as_the_crop_does():
    image = RANDOM.integers(0, 256, (20, 30, 3), np.uint8)
    mask = RANDOM.integers(0, 9, (20, 30, 1), np.uint8)
    found, labels = with_mirrored_border(image, mask, 45.0, 4)
    plain, both = scale_and_crop(image, mask, tf.constant(45.0), tf.zeros(2), 30)
    np.testing.assert_allclose(found[4:34, 4:34], plain, atol=1e-3)
    np.testing.assert_array_equal(labels[4:34, 4:34, 0], both[..., 0])


@pytest.mark.parametrize(("offset", "corner"), [(0.0, (0, 0)), (0.999, (10, 25))])
def test_the_outermost_pixels_are_in_the_labelled_part_of_a_crop(offset, corner):
    image = RANDOM.integers(0, 256, (30, 45, 3), np.uint8)
    mask = RANDOM.integers(0, 9, (30, 45, 1), np.uint8)
    wide, labels = with_mirrored_border(image, mask, 45.0, 6)
    side = tf.cast(tf.reduce_max(tf.shape(wide)), tf.float32)
    _, both = scale_and_crop(wide, labels, side, tf.fill([2], offset), 6 + 20 + 6)
    top, left = corner
    np.testing.assert_array_equal(both[6:26, 6:26, 0], mask[top : top + 20, left : left + 20, 0])
