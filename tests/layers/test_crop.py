"""Cutting a map to the size of another: by hand, with sizes known and unknown."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from wsseg.errors import InputError
from wsseg.layers.crop_and_concat import crop_and_concat
from wsseg.layers.crop_to import CropTo

# 6 x 7, its value row and column: 35 is row 3, column 5.
GRID = (10 * np.arange(6)[:, None] + np.arange(7)).astype("float32")[None, :, :, None]


def like(height, width):
    return np.zeros((1, height, width, 5), "float32")


@pytest.mark.parametrize("size_known", [True, False])
@pytest.mark.parametrize(
    ("offset_hw", "size_hw", "first", "last"),
    [
        (None, (4, 3), 12, 44),  # 1 row above and below, 2 columns left and right
        (None, (3, 4), 11, 34),  # 1 of 3 rows above, 1 of 3 columns to the left
        (None, (6, 7), 0, 56),
        ((0, 0), (2, 2), 0, 11),
        ((3, 4), (2, 3), 34, 46),
        ((4, 4), (2, 3), 44, 56),  # to the end
    ],
)
def test_by_hand(offset_hw, size_hw, first, last, size_known):
    layer, unknown = CropTo(offset_hw), tf.TensorSpec((None, None, None, None), tf.float32)
    run = layer if size_known else tf.function(lambda x: layer(x), input_signature=[[unknown, unknown]])
    found = run([GRID, like(*size_hw)])
    assert found.shape == (1, *size_hw, 1)
    assert (found[0, 0, 0, 0], found[0, -1, -1, 0]) == (first, last)
    np.testing.assert_array_equal(np.diff(found[0, :, 0, 0]), np.full(size_hw[0] - 1, 10))


def test_the_skip_comes_first():
    skip, tensor = keras.Input((None, None, 1)), keras.Input((None, None, 2))
    model = keras.Model([skip, tensor], crop_and_concat(skip, tensor, "merge"))
    assert model.output_shape == (None, None, None, 3)
    assert model.get_layer("merge_crop").offset_hw is None
    found = model([GRID, np.full((1, 4, 3, 2), 7, "float32")])
    np.testing.assert_array_equal(found[0, :, :, 0], GRID[0, 1:5, 2:5, 0])
    np.testing.assert_array_equal(found[0, :, :, 1:], np.full((4, 3, 2), 7))


def test_a_map_too_small_is_an_error_whenever_its_size_is_known():
    with pytest.raises(InputError, match="can't crop 7 cells at offset 0 from 6"):
        CropTo()([GRID, like(7, 7)])
    with pytest.raises(InputError, match="`skip_crop` can't crop 6 cells at offset 2 from 7"):
        CropTo((0, 2), name="skip_crop")([keras.Input((6, 7, 1)), keras.Input((6, 6, 1))])
    unknown = tf.TensorSpec((None, None, None, None), tf.float32)
    run = tf.function(lambda x: CropTo((3, 0))(x), input_signature=[[unknown, unknown]])
    with pytest.raises(tf.errors.InvalidArgumentError, match=r"Expected size\[1\] in \[0, 3\], but got 4"):
        run([GRID, like(4, 4)])


@pytest.mark.parametrize("offset_hw", [(-1, 0), (1, 2, 3), (0.5, 1)])
def test_bad_offsets_are_named(offset_hw):
    with pytest.raises(InputError, match="`offset_hw`"):
        CropTo(offset_hw)
