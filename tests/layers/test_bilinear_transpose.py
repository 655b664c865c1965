"""Transposed convolution initialised to bilinear: by hand, against loops, and against resizing."""

import keras
import numpy as np
import pytest
from references.convolutions import transposed

from wsseg.errors import InputError
from wsseg.layers.bilinear_initializer import Bilinear
from wsseg.layers.bilinear_resize import BilinearResizeTo
from wsseg.layers.bilinear_transpose import bilinear_transpose


def upsampling(channels, factor, size_hw=(None, None), **options):
    maps = keras.Input((*size_hw, channels))
    return keras.Model(maps, bilinear_transpose(maps, channels, factor, "up", **options))


@pytest.mark.parametrize(
    ("side", "line"),
    [
        (1, [1]),  # factor 1
        (3, [0.5, 1, 0.5]),
        (4, [0.25, 0.75, 0.75, 0.25]),  # factor 2
        (5, [1 / 3, 2 / 3, 1, 2 / 3, 1 / 3]),  # factor 3
        (8, [1 / 8, 3 / 8, 5 / 8, 7 / 8, 7 / 8, 5 / 8, 3 / 8, 1 / 8]),  # factor 4
    ],
)
def test_kernel_by_hand(side, line):
    kernel = np.array(Bilinear()((side, side, 2, 2)))
    np.testing.assert_allclose(kernel[:, :, 0, 0], np.outer(line, line), atol=1e-6)
    np.testing.assert_array_equal(kernel[:, :, 1, 1], kernel[:, :, 0, 0])
    assert not kernel[:, :, 0, 1].any() and not kernel[:, :, 1, 0].any()


def test_two_by_two_by_hand():
    # Along a row, factor 2: 0 and 4 lie at 0.5 and 2.5 of the result, whose pixels 0 to 3 take 3/4 of the nearer
    # cell and 1/4 of the farther one, which is 0 outside: 0, 1, 3, 3. Rows of 8 and 12 likewise: 6, 9, 11, 9 ...
    grid = np.array([[0, 4], [8, 12]], "float32")[None, :, :, None]
    upper, lower = np.array([0, 1, 3, 3]), np.array([6, 8.0 + 1, 11, 9])
    expected = [0.75 * upper, 0.75 * upper + 0.25 * lower, 0.25 * upper + 0.75 * lower, 0.75 * lower]
    np.testing.assert_allclose(upsampling(1, 2)(grid)[0, :, :, 0], expected, atol=1e-5)


@pytest.mark.parametrize("factor", [1, 2, 3, 4, 5, 8])
def test_equals_the_loop_and_away_from_borders_the_resizing(factor):
    maps = np.random.default_rng(0).normal(size=(2, 4, 5, 3)).astype("float32")
    model = upsampling(3, factor)
    (kernel,) = model.get_layer("up").get_weights()
    assert kernel.shape == (2 * factor - factor % 2,) * 2 + (3, 3)
    found = np.array(model(maps))
    assert found.shape == (2, 4 * factor, 5 * factor, 3)
    np.testing.assert_allclose(found, transposed(maps, kernel, factor), atol=1e-4)
    resized = np.array(BilinearResizeTo()([maps, np.zeros_like(found)]))
    border = factor // 2
    inside = (slice(None), slice(border, 4 * factor - border), slice(border, 5 * factor - border))
    np.testing.assert_allclose(found[inside], resized[inside], atol=1e-4)
    if border:
        assert (np.abs(found - resized)[:, border - 1, border:-border].max(axis=(0, 2)) > 1e-3).all()
        assert (np.abs(found - resized)[:, border:-border, -border].max(axis=(0, 2)) > 1e-3).all()


def test_learns_unless_told_otherwise_and_is_saved(tmp_path):
    maps = np.random.default_rng(0).normal(size=(1, 3, 3, 2)).astype("float32")
    assert len(upsampling(2, 4).trainable_weights) == 1
    frozen = upsampling(2, 4, trainable=False)
    assert not frozen.trainable_weights and len(frozen.weights) == 1
    frozen.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras")
    np.testing.assert_array_equal(loaded(maps), frozen(maps))
    assert isinstance(loaded.get_layer("up").kernel_initializer, Bilinear)


def test_bad_options_are_named():
    scores = keras.Input((8, 8, 3))
    with pytest.raises(InputError, match="`factor`"):
        bilinear_transpose(scores, 3, 0, "up")
    with pytest.raises(InputError, match="`channels` must be the tensor's 3"):
        bilinear_transpose(scores, 4, 2, "up")
    for shape in [(4, 4, 2, 3), (3, 4, 2, 2), (4, 2, 2)]:
        with pytest.raises(InputError, match="as many output as input channels"):
            Bilinear()(shape)
