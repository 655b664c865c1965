"""Start a segmenter from another's file."""

import numpy as np
import pytest

from wsseg import segmenters
from wsseg.errors import InputError

OPTIONS = {"backbone": "mobilenet_0.25", "channels": 8, "input_size": (64, 64)}


def test_layers_of_one_name_and_shape_are_taken_over(tmp_path):
    first = segmenters.create("deeplab_v3_plus", num_classes=3, **OPTIONS)
    first.save(tmp_path / "first.keras")
    other = segmenters.create("deeplab_v3_plus", num_classes=5, weights=tmp_path / "first.keras", **OPTIONS)
    for layer in other.layers:
        if layer.weights and layer.name != "scores":
            for own, source in zip(layer.get_weights(), first.get_layer(layer.name).get_weights()):
                np.testing.assert_array_equal(own, source)
    assert other.get_layer("scores").kernel.shape[-1] == 5
    assert "weights" not in other.get_config()["options"]


def test_a_file_of_another_network_names_the_first_layer(tmp_path):
    import keras

    image = keras.Input((8, 8, 3))
    keras.Model(image, keras.layers.Conv2D(2, 1, name="elsewhere")(image)).save(tmp_path / "other.keras")
    with pytest.raises(
        InputError,
        match=r"another architecture than `deeplab_v3_plus`: only 0 of \d+ layers match; `conv1` has shapes",
    ):
        segmenters.create("deeplab_v3_plus", num_classes=3, weights=tmp_path / "other.keras", **OPTIONS)
