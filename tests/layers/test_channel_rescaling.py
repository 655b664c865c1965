"""`ChannelRescaling` by hand; `test_all_layers.py` has the rest."""

import numpy as np
import pytest

from wsseg.errors import InputError
from wsseg.layers.channel_rescaling import ChannelRescaling
from wsseg.layers.image_preprocessing import TORCH_MEAN_RGB, TORCH_STD_RGB, ImagePreprocessing


def test_equals_the_torch_preprocessing():
    images = np.random.default_rng(0).integers(0, 256, (2, 3, 4, 3)).astype("uint8")
    scale = [1 / (255 * deviation) for deviation in TORCH_STD_RGB]
    offset = [-mean / deviation for mean, deviation in zip(TORCH_MEAN_RGB, TORCH_STD_RGB)]
    expected = ImagePreprocessing("torch")(images)
    np.testing.assert_allclose(ChannelRescaling(scale, offset)(images), expected, atol=1e-5)


def test_mixed_precision_computes_in_float32():
    # 2049 is 2048 in float16.
    layer = ChannelRescaling((1.0,), (-2048.0,), dtype="mixed_float16")
    assert float(layer(np.full((1, 1, 1, 1), 2049.0, "float32"))[0, 0, 0, 0]) == 1


def test_refuses_other_numbers_of_channels():
    with pytest.raises(InputError, match="one number per channel each; got 3 and 1"):
        ChannelRescaling((1.0, 1.0, 1.0), (0.0,))
