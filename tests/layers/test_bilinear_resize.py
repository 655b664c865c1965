"""Bilinear resizing to another tensor's size: by hand, and known against unknown sizes."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from references.class_maps import at_positions, bilinear

from wsseg.layers.bilinear_resize import BilinearResizeTo


def static(features, size_hw, shift_hw=(0, 0)):
    return BilinearResizeTo(shift_hw)([features, np.zeros((len(features), *size_hw, 1), "float32")]).numpy()


def dynamic(features, size_hw, shift_hw=(0, 0)):
    """Run in a graph that knows no size."""
    layer = BilinearResizeTo(shift_hw)
    unknown = tf.TensorSpec((None, None, None, None), tf.float32)
    run = tf.function(lambda small, like: layer([small, like]), input_signature=[unknown, unknown])
    return run(features, np.zeros((len(features), *size_hw, 1), "float32")).numpy()


@pytest.mark.parametrize("resize", [static, dynamic])
def test_two_by_two_to_four_by_four_by_hand(resize):
    # Half-pixel centres: output 0..3 lies at -0.25, 0.25, 0.75, 1.25 of the input, clamped to [0, 1].
    corners = np.array([[0, 4], [8, 12]], "float32")[None, :, :, None]
    expected = [[0, 1, 3, 4], [2, 3, 5, 6], [6, 7, 9, 10], [8, 9, 11, 12]]
    np.testing.assert_allclose(resize(corners, (4, 4))[0, :, :, 0], expected, atol=1e-5)


SIZES = [
    ((3, 4), (9, 12)),
    ((5, 7), (13, 10)),
    ((8, 9), (3, 4)),
    ((1, 1), (5, 6)),
    ((4, 1), (4, 3)),
    ((6, 6), (6, 6)),
]


@pytest.mark.parametrize(("before", "after"), SIZES)
def test_known_and_unknown_sizes_agree_with_the_loop(before, after):
    features = np.random.default_rng(0).normal(size=(2, *before, 3)).astype("float32")
    found = static(features, after)
    np.testing.assert_allclose(dynamic(features, after), found, atol=1e-5)
    np.testing.assert_allclose(found[1, :, :, 2], bilinear(features[1, :, :, 2], *after), atol=1e-5)


@pytest.mark.parametrize("resize", [static, dynamic])
def test_shift_is_in_cells_of_the_input(resize):
    features = np.random.default_rng(0).normal(size=(1, 4, 5, 1)).astype("float32")
    rows = [(i + 0.5) / 2 - 0.5 + 0.75 for i in range(8)]
    columns = [(i + 0.5) / 3 - 0.5 - 1.25 for i in range(15)]
    found = resize(features, (8, 15), (0.75, -1.25))[0, :, :, 0]
    np.testing.assert_allclose(found, at_positions(features[0, :, :, 0], rows, columns), atol=1e-5)


def test_gradients_pass_on_both_paths():
    features = np.random.default_rng(0).normal(size=(1, 3, 4, 2)).astype("float32")
    wanted = np.random.default_rng(1).normal(size=(1, 7, 9, 2)).astype("float32")
    gradients = []
    layer = BilinearResizeTo()
    unknown = tf.TensorSpec((None, None, None, None), tf.float32)

    def gradient(small, like):
        with tf.GradientTape() as tape:
            tape.watch(small)
            loss = tf.reduce_sum(layer([small, like]) * wanted)
        return tape.gradient(loss, small)

    for run in (gradient, tf.function(gradient, input_signature=[unknown, unknown])):
        gradients.append(run(tf.constant(features), tf.constant(wanted)).numpy())
    np.testing.assert_allclose(gradients[0], gradients[1], atol=1e-5)
    assert np.abs(gradients[0]).min() > 0


def test_symbolic_shape_and_saving(tmp_path):
    image = keras.Input((None, None, 3))
    small = keras.layers.AveragePooling2D(4)(image)
    model = keras.Model(image, BilinearResizeTo((0.5, -0.25), name="up")([small, image]))
    assert model.output_shape == (None, None, None, 3)
    images = np.random.default_rng(0).normal(size=(1, 16, 20, 3)).astype("float32")
    model.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras")
    np.testing.assert_array_equal(loaded(images), model(images))


def test_mixed_precision_keeps_its_type():
    layer = BilinearResizeTo(dtype="mixed_float16")
    assert layer([np.ones((1, 2, 2, 1)), np.ones((1, 4, 4, 1))]).dtype == tf.float16


@pytest.mark.parametrize("width", [496, 500, 513])
def test_cells_stay_a_stride_apart_where_it_does_not_divide_the_size(width):
    cells = -(-width // 16)
    looks_at = (16.0 * np.arange(cells) + 7.5).reshape(1, 1, cells, 1).astype("float32")
    image = np.zeros((1, 1, width, 3), "float32")
    drawn = np.array(BilinearResizeTo(step_hw=(1.0, 1 / 16))([looks_at, image]))[0, 0, :, 0]
    inside = slice(8, min(width, 16 * cells - 8))
    np.testing.assert_allclose(drawn[inside], np.arange(width)[inside], atol=1e-3)
