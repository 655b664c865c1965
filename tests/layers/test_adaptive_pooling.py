"""Pooling to a fixed number of bins: average, spatial pyramid, and PSPNet's module, against loops."""

import keras
import numpy as np
import pytest
from references.adaptive_pooling import adaptive, spatial_pyramid
from references.class_maps import bilinear

from wsseg.errors import InputError
from wsseg.layers.adaptive_average_pooling import AdaptiveAveragePooling2D
from wsseg.layers.pyramid_pooling import pyramid_pooling
from wsseg.layers.spatial_pyramid_pooling import SpatialPyramidPooling2D


def maps(height, width, channels=2):
    return np.random.default_rng(0).normal(size=(2, height, width, channels)).astype("float32")


def test_borders_of_bins_by_hand():
    # 7 cells in 3 bins: 0 to 7/3, 7/3 to 14/3, 14/3 to 7, so cells 0-2, 2-4, 4-6.
    row = np.array([0, 0, 3, 0, 9, 0, 0], "float32").reshape(1, 1, 7, 1)
    np.testing.assert_allclose(AdaptiveAveragePooling2D(3)(row)[0, 0, :, 0], [1, 4, 3])


@pytest.mark.parametrize("bins", [1, 2, 3, 6])
@pytest.mark.parametrize("size_hw", [(6, 12), (7, 10), (5, 3), (1, 1)])
def test_average_equals_the_loop(bins, size_hw):
    np.testing.assert_allclose(
        AdaptiveAveragePooling2D(bins)(maps(*size_hw)), adaptive(maps(*size_hw), bins), atol=1e-5
    )


def test_average_does_not_overflow_in_half():
    found = AdaptiveAveragePooling2D(1, dtype="mixed_float16")(np.full((1, 40, 40, 1), 100, "float16"))
    assert found.dtype == "float16" and float(found[0, 0, 0, 0]) == 100


@pytest.mark.parametrize(("pooling", "reduce"), [("max", max), ("average", np.mean)])
def test_spatial_pyramid_has_one_length_for_all_sizes(pooling, reduce):
    image = keras.Input((None, None, 2))
    model = keras.Model(image, SpatialPyramidPooling2D((1, 2, 4), pooling)(image))
    assert model.output_shape == (None, 2 * 21)
    for size_hw in [(8, 8), (5, 9), (3, 2)]:
        found = model.predict(maps(*size_hw), verbose=0)
        np.testing.assert_allclose(found, spatial_pyramid(maps(*size_hw), (1, 2, 4), reduce), atol=1e-5)


def test_published_length():
    # He et al. 2014, section 2.2 and figure 3: 256 filters and 21 bins of levels 4x4, 2x2, 1x1.
    assert SpatialPyramidPooling2D().compute_output_shape((None, None, None, 256)) == (None, 5376)


@pytest.mark.parametrize("size_known", [True, False])
def test_pyramid_pooling_equals_its_steps_by_loops(size_known):
    x = maps(9, 7, 8)
    features = keras.Input((*((9, 7) if size_known else (None, None)), 8))
    model = keras.Model(features, pyramid_pooling(features))
    rng = np.random.default_rng(1)
    for weight in model.weights:
        weight.assign(rng.uniform(0.5, 1.5, weight.shape) * rng.choice([-1, 1] if weight.ndim > 1 else [1]))
    assert model.output_shape[-1] == 16
    found = model.predict(x, verbose=0)
    np.testing.assert_array_equal(found[..., :8], x)
    for index, bins in enumerate((1, 2, 3, 6), start=1):
        kernel = model.get_layer(f"pyramid_{index}").get_weights()[0][0, 0]
        gamma, beta, mean, variance = model.get_layer(f"pyramid_{index}_bn").get_weights()
        level = (adaptive(x, bins) @ kernel - mean) / np.sqrt(variance + 1e-5) * gamma + beta
        for b in range(2):
            for c in range(2):
                expected = bilinear(np.maximum(level[b, :, :, c], 0), 9, 7)
                np.testing.assert_allclose(found[b, :, :, 6 + 2 * index + c], expected, atol=1e-4)


def test_published_parameters_of_the_module():
    # 2048 channels in levels of 512, no biases, 4 numbers a channel in each batch norm.
    features = keras.Input((None, None, 2048))
    model = keras.Model(features, pyramid_pooling(features))
    assert model.output_shape == (None, None, None, 4096)
    assert model.count_params() == 4 * (2048 * 512 + 4 * 512)


@pytest.mark.parametrize("bins", [0, 2.0, (2, 2)])
def test_bad_bins_are_named(bins):
    with pytest.raises(InputError, match="`bins`"):
        AdaptiveAveragePooling2D(bins)


def test_bad_pyramids_are_named():
    with pytest.raises(InputError, match="at least one level"):
        SpatialPyramidPooling2D(())
    with pytest.raises(InputError, match="`bins`"):
        SpatialPyramidPooling2D((1, 0))
    with pytest.raises(InputError, match="`pooling`"):
        SpatialPyramidPooling2D(pooling="mean")
    with pytest.raises(InputError, match="at least one level"):
        pyramid_pooling(keras.Input((8, 8, 4)), ())
