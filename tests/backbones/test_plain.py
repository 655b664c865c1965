"""The plain backbone: its shapes and size, and what it refuses."""

import numpy as np
import pytest

from wsseg import backbones
from wsseg.errors import InputError


def test_levels_and_parameters():
    network = backbones.create("plain", 8, input_size=(64, 96))
    shapes = {level: tensor.shape[1:] for level, tensor in network.output.items()}
    assert shapes["level_1"] == (32, 48, 48)
    assert shapes["level_2"] == (16, 24, 64)
    assert shapes["level_5"] == (8, 12, 128)
    # Kernels 25*3*24 + 9*(24*48 + 48*64 + 64*64 + 64*96 + 96*128), batch norm 4 * (24+48+64+64+96+128).
    kernels = 25 * 3 * 24 + 9 * (24 * 48 + 48 * 64 + 64 * 64 + 64 * 96 + 96 * 128)
    assert network.count_params() == kernels + 4 * (24 + 48 + 64 + 64 + 96 + 128)
    assert backbones.level_strides("plain", 8)["level_5"] == 8


def test_weights_by_path(tmp_path):
    first, path = backbones.create("plain", 8), tmp_path / "plain.weights.h5"
    first.save_weights(path)
    second = backbones.create("plain", 8, weights=str(path))
    image = np.random.default_rng(0).uniform(0, 255, (1, 32, 32, 3)).astype("float32")
    np.testing.assert_array_equal(first(image)["level_5"], second(image)["level_5"])


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"output_stride": 16}, "output stride 8 only"),
        ({"output_stride": 8, "weights": "imagenet"}, "no ImageNet weights"),
        ({"output_stride": 8, "alpha": 0.5}, "no option `alpha`"),
    ],
)
def test_refuses(options, message):
    with pytest.raises(InputError, match=message):
        backbones.create("plain", **options)
