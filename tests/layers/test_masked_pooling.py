"""Pooling over valid cells against a loop in NumPy."""

import keras
import numpy as np
import pytest

from wsseg.layers.masked_pooling import MaskedGlobalAveragePooling2D

FEATURES = np.random.default_rng(0).normal(0, 3, (3, 4, 5, 6)).astype("float32")
SIZES = ((64, 80), (40, 33), (9, 80))


def valid_of(sizes=SIZES, padded=(64, 80)):
    valid = np.zeros((len(sizes), *padded), "float32")
    for place, (height, width) in enumerate(sizes):
        valid[place, :height, :width] = 1
    return valid


def twin(features, valid):
    """Average the cells whose centre pixel is valid, one by one."""
    result = np.zeros((len(features), features.shape[-1]))
    for b, image in enumerate(features):
        chosen = []
        for y in range(image.shape[0]):
            for x in range(image.shape[1]):
                row = int((y + 0.5) * valid.shape[1] / image.shape[0])
                column = int((x + 0.5) * valid.shape[2] / image.shape[1])
                if valid[b, row, column]:
                    chosen.append(image[y, x].astype(float))
        if chosen:
            result[b] = sum(chosen) / len(chosen)
    return result


def test_equals_the_loop():
    np.testing.assert_allclose(
        MaskedGlobalAveragePooling2D()(FEATURES, valid_of()), twin(FEATURES, valid_of()), atol=1e-5
    )


def test_without_a_mask_and_with_all_valid_it_is_the_mean():
    layer, everything = MaskedGlobalAveragePooling2D(), np.ones((3, 64, 80), "float32")
    np.testing.assert_allclose(layer(FEATURES), FEATURES.mean((1, 2)), atol=1e-5)
    np.testing.assert_allclose(layer(FEATURES, everything), FEATURES.mean((1, 2)), atol=1e-5)


def test_what_is_in_the_padding_changes_nothing():
    layer, other = MaskedGlobalAveragePooling2D(), FEATURES.copy()
    # Cells of 16 pixels: image 1 is 40 x 33, so rows and columns with centres 8 and 24 are inside.
    other[1, 2:], other[1, :, 2:] = 1e6, -1e6
    np.testing.assert_array_equal(layer(other, valid_of()), layer(FEATURES, valid_of()))
    other[1, 1, 1] += 1
    assert not np.array_equal(layer(other, valid_of()), layer(FEATURES, valid_of()))


@pytest.mark.parametrize(("width", "expected"), [(8, 3.0), (7, 3.0), (6, 1.0), (3, 1.0), (2, 0.0), (0, 0.0)])
def test_a_cell_counts_if_the_pixel_at_its_centre_is_valid(width, expected):
    features = np.array([[[[1.0], [5.0]]]])  # 2 cells of 4 pixels: centres at pixels 2 and 6
    valid = np.zeros((1, 1, 8), "float32")
    valid[0, 0, :width] = 1
    assert MaskedGlobalAveragePooling2D()(features, valid)[0, 0] == expected


def test_sizes_unknown_when_the_graph_is_built():
    features, valid = keras.Input((None, None, 6)), keras.Input((None, None))
    model = keras.Model([features, valid], MaskedGlobalAveragePooling2D()(features, valid))
    assert model.output_shape == (None, 6)
    np.testing.assert_allclose(model([FEATURES, valid_of()]), twin(FEATURES, valid_of()), atol=1e-5)


def test_float16_does_not_overflow():
    layer = MaskedGlobalAveragePooling2D(dtype="mixed_float16")
    features = np.full((1, 40, 40, 1), 100, "float16")  # the sum, 160000, is beyond float16
    for arguments in ((features,), (features, np.ones((1, 80, 80), "float32"))):
        found = layer(*arguments)
        assert keras.backend.standardize_dtype(found.dtype) == "float16" and float(found[0, 0]) == 100


def test_config_round_trip():
    layer = MaskedGlobalAveragePooling2D(name="p")
    restored = keras.saving.deserialize_keras_object(keras.saving.serialize_keras_object(layer))
    assert type(restored) is MaskedGlobalAveragePooling2D and restored.name == "p"
