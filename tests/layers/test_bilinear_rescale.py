"""Bilinear resizing by a factor, against loops in NumPy."""

import numpy as np
import pytest
from references.class_maps import bilinear

from wsseg.errors import InputError
from wsseg.layers.bilinear_rescale import BilinearRescale


@pytest.mark.parametrize(
    ("scale", "size_hw", "expected_hw"),
    [
        (0.5, (6, 8), (3, 4)),
        (0.5, (7, 9), (4, 5)),
        (0.75, (9, 10), (7, 8)),
        (2, (3, 5), (6, 10)),
        (0.1, (3, 9), (1, 1)),
    ],
)
def test_sizes_are_rounded_and_values_interpolated(scale, size_hw, expected_hw):
    image = np.random.default_rng(0).uniform(0, 255, size_hw).astype("float32")
    found = BilinearRescale(scale)(image[None, :, :, None])[0, :, :, 0]
    assert found.shape == expected_hw
    np.testing.assert_allclose(found, bilinear(image, *expected_hw), rtol=1e-5, atol=1e-3)


@pytest.mark.parametrize("scale", [0, -1, float("nan"), "half"])
def test_other_scales_are_refused(scale):
    with pytest.raises(InputError, match=r"`scale` must be a positive number; got .*; try 0.5"):
        BilinearRescale(scale)
