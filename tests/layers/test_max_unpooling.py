"""Max pooling with switches and unpooling: on a drawn grid, and against loops."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from examples.half_precision import needs_half_precision
from references import switches as twin

from wsseg.errors import InputError
from wsseg.layers.max_pooling_with_switches import MaxPoolingWithSwitches2D
from wsseg.layers.max_unpooling import MaxUnpooling2D

GRID = np.array(
    [
        [1, 2, 0, 0],
        [3, 0, 0, 7],
        [5, 5, -4, -2],
        [5, 5, -3, -6],
    ],
    "float32",
)[None, :, :, None]


def test_a_drawn_grid_by_hand():
    pooled, switches = MaxPoolingWithSwitches2D()(GRID)
    np.testing.assert_array_equal(pooled[0, :, :, 0], [[3, 7], [5, -2]])
    np.testing.assert_array_equal(switches[0, :, :, 0], [[2, 3], [0, 1]])  # of four fives the first
    expected = [
        [0, 0, 0, 0],
        [3, 0, 0, 7],
        [5, 0, 0, -2],
        [0, 0, 0, 0],
    ]
    np.testing.assert_array_equal(MaxUnpooling2D()([pooled, switches])[0, :, :, 0], expected)
    # Other values go to the same places.
    other = np.array([[10, 20], [30, 40]], "float32")[None, :, :, None]
    expected = [
        [0, 0, 0, 0],
        [10, 0, 0, 20],
        [30, 0, 0, 40],
        [0, 0, 0, 0],
    ]
    np.testing.assert_array_equal(MaxUnpooling2D()([other, switches])[0, :, :, 0], expected)


def test_gradients_by_hand():
    weights = np.arange(1.0, 17.0).reshape(1, 4, 4, 1).astype("float32")
    maps = tf.constant(GRID)
    with tf.GradientTape(persistent=True) as tape:
        tape.watch(maps)
        pooled, switches = MaxPoolingWithSwitches2D()(maps)
        tape.watch(pooled)
        total = tf.reduce_sum(MaxUnpooling2D()([pooled, switches]) * weights)
    # A value's gradient is the weight where it was put; of equal maxima only the one recorded gets it.
    np.testing.assert_array_equal(tape.gradient(total, pooled)[0, :, :, 0], [[5, 8], [9, 12]])
    expected = [
        [0, 0, 0, 0],
        [5, 0, 0, 8],
        [9, 0, 0, 12],
        [0, 0, 0, 0],
    ]
    np.testing.assert_array_equal(tape.gradient(total, maps)[0, :, :, 0], expected)


@pytest.mark.parametrize("dtype", ["float32", pytest.param("mixed_float16", marks=needs_half_precision)])
@pytest.mark.parametrize("size_known", [True, False])
@pytest.mark.parametrize(
    ("side", "size_hw"), [(2, (6, 8)), (2, (7, 5)), (3, (6, 11)), (1, (3, 2)), (4, (4, 4))]
)
def test_equals_the_loop(side, size_hw, size_known, dtype):
    # Whole numbers from few values: many ties, and exact in float16.
    maps = np.random.default_rng(0).integers(-3, 3, (2, *size_hw, 3)).astype("float32")
    image = keras.Input((*(size_hw if size_known else (None, None)), 3))
    pooled, switches = MaxPoolingWithSwitches2D(side, dtype=dtype)(image)
    unpooled = MaxUnpooling2D(side, dtype=dtype)([pooled, switches])
    found = keras.Model(image, [pooled, switches, unpooled]).predict(maps, verbose=0)
    expected = twin.pool(maps, side)
    np.testing.assert_array_equal(found[0], expected[0])
    np.testing.assert_array_equal(found[1], expected[1])
    np.testing.assert_array_equal(found[2], twin.unpool(*expected, side))
    half = np.dtype("float16" if dtype == "mixed_float16" else "float32")
    assert [array.dtype for array in found] == [half, np.dtype("int32"), half]


def test_pooled_values_are_those_of_keras():
    maps = np.random.default_rng(0).normal(size=(2, 7, 9, 3)).astype("float32")
    np.testing.assert_array_equal(MaxPoolingWithSwitches2D()(maps)[0], keras.layers.MaxPooling2D()(maps))


def test_infinite_values_leave_zeros_beside_them():
    values, switches = np.full((1, 1, 1, 1), np.inf, "float32"), np.full((1, 1, 1, 1), 1, "int32")
    found = MaxUnpooling2D()([values, switches])[0, :, :, 0]
    np.testing.assert_array_equal(found, [[0, np.inf], [0, 0]])


@pytest.mark.parametrize("layer", [MaxPoolingWithSwitches2D, MaxUnpooling2D])
@pytest.mark.parametrize("pool_size", [0, (2, 2), 2.0])
def test_bad_pool_sizes_are_named(layer, pool_size):
    with pytest.raises(InputError, match="`pool_size`"):
        layer(pool_size)
