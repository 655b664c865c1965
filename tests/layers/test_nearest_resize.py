"""Nearest-neighbour resizing, by hand and against loops."""

import keras
import numpy as np
import pytest

from wsseg.layers.nearest_resize import NearestResizeTo


def resize(values, after, shift=0.0):
    """Resize one row of cells."""
    row = np.array(values, "float32")[None, None, :, None]
    return NearestResizeTo((0, shift))([row, np.zeros((1, 1, after, 1))]).numpy()[0, 0, :, 0].tolist()


def nearest(values, after, shift=0.0):
    """Look at the distance to each cell; the first of those as near wins."""
    result = []
    for i in range(after):
        position = (2 * i + 1) * len(values) / (2 * after) - 0.5 + shift
        distances = [round(abs(position - cell), 6) for cell in range(len(values))]
        result.append(values[distances.index(min(distances))])
    return result


def test_a_shift_moves_the_border_by_hand():
    # 3 cells to 6 lie at -0.25, 0.25, 0.75, 1.25, 1.75, 2.25; a quarter more is 0, 0.5, 1, 1.5, 2, 2.5.
    assert resize([1, 2, 3], 6) == [1, 1, 2, 2, 3, 3]
    assert resize([1, 2, 3], 6, 0.25) == [1, 1, 2, 2, 3, 3]
    assert resize([1, 2, 3], 6, 0.5) == [1, 2, 2, 3, 3, 3]
    assert resize([1, 2, 3], 6, -0.5) == [1, 1, 1, 2, 2, 3]


@pytest.mark.parametrize("sizes", [(3, 7), (5, 9), (8, 16), (4, 3), (9, 4), (1, 6), (6, 6), (7, 13)])
@pytest.mark.parametrize("shift", [0, 0.3, -0.7, 2.2])
def test_against_distances(sizes, shift):
    values = list(range(sizes[0]))
    assert resize(values, sizes[1], shift) == nearest(values, sizes[1], shift)


def test_at_twice_the_size_it_repeats_as_keras_does():
    maps = np.random.default_rng(0).normal(0, 1, (2, 4, 5, 3)).astype("float32")
    expected = keras.layers.UpSampling2D(2, interpolation="nearest")(maps)
    np.testing.assert_array_equal(NearestResizeTo()([maps, np.zeros((2, 8, 10, 1))]), expected)
