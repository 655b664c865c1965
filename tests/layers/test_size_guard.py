"""The layer that refuses images of illegal sizes, at each moment when a size becomes known."""

import keras
import numpy as np
import pytest

from wsseg.errors import InputError
from wsseg.layers.size_guard import SizeGuard

MESSAGE = (
    r"`unet` can't take images of 570 x 572 pixels: its sides must be 12 modulo 16, from 188; "
    r"try \(556, 572\) or \(572, 572\)"
)


def guard(**kwargs):
    return SizeGuard(16, 12, 188, "unet", **kwargs)


def network():
    image = keras.Input((None, None, 1))
    return keras.Model(image, keras.layers.GlobalAveragePooling2D()(guard()(image)))


def test_an_illegal_size_of_the_input_fails_when_the_network_is_built():
    with pytest.raises(InputError, match=MESSAGE):
        guard()(keras.Input((570, 572, 1)))
    with pytest.raises(InputError, match="images of any x 200 pixels"):
        guard()(keras.Input((None, 200, 1)))


@pytest.mark.parametrize("way", ["call", "predict", "predict_on_batch"])
def test_an_illegal_image_fails_when_the_network_is_used(way):
    model = network()
    run = model if way == "call" else getattr(model, way)
    with pytest.raises(InputError, match=MESSAGE):
        run(np.zeros((1, 570, 572, 1), "float32"))
    assert run(np.zeros((1, 188, 204, 1), "float32")).shape == (1, 1)


def test_legal_images_pass_unchanged_in_any_precision():
    image = np.random.default_rng(0).uniform(0, 255, (1, 188, 188, 1)).astype("float32")
    for policy in ("float32", "mixed_float16"):
        found = guard(dtype=policy)(image)
        assert found.dtype == "float32"
        np.testing.assert_array_equal(found, image)
    assert guard()(image.astype("uint8")).dtype == "uint8"
