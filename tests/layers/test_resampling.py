"""Resampling by matrices against loops, TensorFlow and hand-worked numbers."""

import numpy as np
import pytest
import tensorflow as tf
from references.resampling import resampled

from wsseg.layers.resampling import resample, resampling_matrix

MAPS = np.random.default_rng(0).normal(0, 1, (2, 5, 7, 3)).astype("float32")


@pytest.mark.parametrize("antialias", [False, True])
@pytest.mark.parametrize("kernel", ["cubic", "linear"])
@pytest.mark.parametrize("size_hw", [(5, 7), (9, 4), (2, 3), (1, 16)])
def test_equals_loops(size_hw, kernel, antialias):
    found = resample(MAPS, size_hw, kernel, antialias)
    np.testing.assert_allclose(found, resampled(MAPS, size_hw, kernel, antialias), rtol=1e-4, atol=2e-5)


@pytest.mark.parametrize(("antialias", "tolerance"), [(False, 5e-3), (True, 2e-5)])
def test_cubic_equals_tensorflow(antialias, tolerance):
    # Without antialiasing TensorFlow reads the kernel off a table of 1024 places.
    expected = tf.image.resize(MAPS, (3, 11), "bicubic", antialias=antialias)
    np.testing.assert_allclose(resample(MAPS, (3, 11), "cubic", antialias), expected, atol=tolerance)


def test_cubic_by_hand():
    # Half way between the inner ones of four cells: weights -1/16, 9/16, 9/16, -1/16.
    np.testing.assert_allclose(
        resampling_matrix(4, 1, "cubic", False), [[-1 / 16, 9 / 16, 9 / 16, -1 / 16]], rtol=1e-6
    )


def test_sizes_unknown_until_the_graph_runs():
    traces = []

    @tf.function(input_signature=[tf.TensorSpec((None, None, None, 3)), tf.TensorSpec((2,), "int32")])
    def run(maps, size):
        traces.append(1)
        return resample(maps, (size[0], size[1]), "cubic", True)

    for height, width in ((3, 4), (8, 9)):
        expected = resampled(MAPS, (height, width), "cubic", True)
        np.testing.assert_allclose(run(MAPS, [height, width]), expected, rtol=1e-4, atol=2e-5)
    assert len(traces) == 1
