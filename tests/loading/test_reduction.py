"""Large photographs made smaller, and probabilities made large again: against loops."""

import numpy as np
import pytest
from references.class_maps import bilinear

from wsseg.loading.reduction import enlarged, enlarged_argmax, reduced, reduced_size


@pytest.mark.parametrize(
    ("size_hw", "max_side", "expected"),
    [
        ((3000, 4000), 1536, (1152, 1536)),
        ((4000, 3000), 2000, (2000, 1500)),
        ((100, 100), 100, (100, 100)),
        ((101, 100), 100, (100, 99)),
        ((9000, 12), 100, (100, 1)),  # never 0
        ((9000, 12), None, (9000, 12)),
    ],
)
def test_reduced_size(size_hw, max_side, expected):
    assert reduced_size(size_hw, max_side) == expected


def triangle(values, count):
    """Resample a line to fewer values: each a mean weighted by a triangle two new pixels wide."""
    step, result = len(values) / count, []
    for i in range(count):
        middle = (i + 0.5) * step
        weights = [max(0.0, 1 - abs(j + 0.5 - middle) / step) for j in range(len(values))]
        result.append(sum(w * v for w, v in zip(weights, values)) / sum(weights))
    return result


@pytest.mark.parametrize("size_hw", [(30, 17), (12, 25)])
def test_an_image_is_reduced_without_aliases(size_hw):
    image = np.random.default_rng(0).integers(0, 256, (*size_hw, 3), np.uint8)
    found = reduced(image, 10)
    height, width = reduced_size(size_hw, 10)
    assert found.shape == (height, width, 3) and found.dtype == np.uint8
    for channel in range(3):
        rows = [triangle(row, width) for row in image[..., channel].astype(float)]
        expected = np.transpose([triangle(column, height) for column in np.transpose(rows)])
        assert np.abs(found[..., channel] - expected).max() <= 1.01  # rounded after each axis


def test_a_small_image_stays_as_it_is():
    image = np.zeros((4, 6, 3), np.uint8)
    assert reduced(image, 6) is image and reduced(image, None) is image


@pytest.fixture
def probabilities():
    values = np.random.default_rng(1).random((7, 5, 4)).astype(np.float32)
    return values / values.sum(-1, keepdims=True)


def test_probabilities_are_resized_bilinearly(probabilities):
    expected = np.stack([bilinear(probabilities[..., k], 20, 13) for k in range(4)], axis=-1)
    found = enlarged(probabilities, (20, 13))
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, expected, atol=1e-6)
    mask = enlarged_argmax(probabilities, (20, 13))
    assert mask.dtype == np.uint8
    assert np.array_equal(mask, expected.argmax(-1)) and set(np.unique(mask)) == {0, 1, 2, 3}


def test_what_has_its_size_already(probabilities):
    assert enlarged(probabilities, (7, 5)) is probabilities
    assert np.array_equal(enlarged_argmax(probabilities, (7, 5)), probabilities.argmax(-1))


def test_of_equal_probabilities_the_first_class():
    assert not enlarged_argmax(np.full((2, 2, 3), 1 / 3, np.float32), (5, 5)).any()
