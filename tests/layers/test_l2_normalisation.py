"""L2 normalisation: numbers by hand, a loop, gradients, and large values in half precision."""

import numpy as np
import tensorflow as tf
from references.class_maps import numeric_gradient
from references.l2_normalisation import normalise

from wsseg.layers.l2_normalisation import L2Normalisation


def test_by_hand():
    # (3, 4) has length 5, (0, -2) length 2, (0, 0) none.
    grid = np.array([[[[3, 4], [0, -2], [0, 0]]]], "float32")
    np.testing.assert_allclose(L2Normalisation(10.0)(grid)[0, 0], [[6, 8], [0, -10], [0, 0]], atol=1e-4)


def test_equals_the_loop_with_a_scale_for_each_channel():
    maps = np.random.default_rng(0).normal(0, 3, (2, 3, 4, 5)).astype("float32")
    layer = L2Normalisation(epsilon=0.5)
    layer.build(maps.shape)
    np.testing.assert_array_equal(layer.get_weights()[0], np.full(5, 10))
    scale = np.array([1, -2, 0.5, 0, 20], "float32")
    layer.set_weights([scale])
    np.testing.assert_allclose(layer(maps), normalise(maps, scale, 0.5), rtol=1e-5, atol=1e-5)


def test_gradients_of_features_and_scale():
    maps = np.random.default_rng(0).normal(size=(1, 2, 2, 3)).astype("float32")
    wanted = np.random.default_rng(1).normal(size=maps.shape)
    layer, x = L2Normalisation(2.0), tf.constant(maps)
    with tf.GradientTape() as tape:
        tape.watch(x)
        total = tf.reduce_sum(layer(x) * wanted.astype("float32"))
    found, of_scale = tape.gradient(total, [x, layer.scale.value])
    expected = numeric_gradient(lambda y: (normalise(y, [2.0] * 3, 1e-6) * wanted).sum(), maps)
    np.testing.assert_allclose(found, expected, atol=1e-4)
    unit = normalise(maps, [1.0] * 3, 1e-6)
    np.testing.assert_allclose(of_scale, (unit * wanted).sum((0, 1, 2)), atol=1e-4)


def test_an_all_zero_position_has_finite_gradients():
    layer, x = L2Normalisation(), tf.zeros((1, 1, 1, 4))
    with tf.GradientTape() as tape:
        tape.watch(x)
        total = tf.reduce_sum(layer(x))
    assert np.isfinite(tape.gradient(total, x)).all()


def test_half_precision_neither_overflows_nor_loses_the_scale():
    # 600 squared, 16 times, is 5.8 million: float16 ends at 65,504. The length is 2,400.
    layer = L2Normalisation(8.0, dtype="mixed_float16")
    found = layer(np.full((1, 1, 1, 16), 600, "float16"))
    assert found.dtype == "float16" and layer.scale.dtype == "float32"
    np.testing.assert_allclose(np.array(found, "float32"), 2.0, atol=1e-3)
