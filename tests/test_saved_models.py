"""Loading `.keras` files: anybody's, this package's layers, and files that are none."""

import keras
import numpy as np
import pytest

from wsseg.errors import InputError
from wsseg.layers.masked_pooling import MaskedGlobalAveragePooling2D
from wsseg.saved_models import load_model


def test_loads_anybodys_model_without_compiling(tmp_path):
    model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(2)])
    model.compile("sgd", "mse")
    model.save(tmp_path / "model.keras")
    loaded = load_model(str(tmp_path / "model.keras"))
    np.testing.assert_array_equal(loaded(np.ones((1, 4))), model(np.ones((1, 4))))
    assert not loaded.compiled


def test_loads_our_layers_and_a_detector_in_a_fresh_process(tmp_path):
    import subprocess
    import sys

    from wsseg import detectors

    image = keras.Input((4, 4, 3))
    keras.Model(image, MaskedGlobalAveragePooling2D()(image)).save(tmp_path / "layer.keras")
    options = {"channels": 8, "head_channels": 8, "mask_channels": 8, "proposals": 8, "detections": 3}
    detector = detectors.create("mask_rcnn", backbone="plain", num_classes=2, input_size=(32, 32), **options)
    detector.save(tmp_path / "detector.keras")
    code = (
        "import sys; from wsseg.saved_models import load_model; "
        "print(load_model(sys.argv[1]).output_shape, load_model(sys.argv[2]).input_size)"
    )
    paths = [str(tmp_path / name) for name in ("layer.keras", "detector.keras")]
    found = subprocess.run([sys.executable, "-c", code, *paths], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "(None, 3) (32, 32)"


def test_missing_file(tmp_path):
    with pytest.raises(InputError, match=r"absent\.keras does not exist; give a .keras file"):
        load_model(tmp_path / "absent.keras")


@pytest.mark.parametrize("name", ["model.keras", "model.txt"])
@pytest.mark.parametrize("content", [b"", b"no model", b"PK\x03\x04 cut short"])
def test_broken_file(tmp_path, name, content):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(InputError, match=f"{name} cannot be loaded"):
        load_model(tmp_path / name)


def test_zip_that_is_no_model(tmp_path):
    import zipfile

    with zipfile.ZipFile(tmp_path / "model.keras", "w") as file:
        file.writestr("readme.txt", "hello")
    with pytest.raises(InputError, match="cannot be loaded"):
        load_model(tmp_path / "model.keras")


def test_layers_of_unknown_code(tmp_path):
    class Own(keras.layers.Layer):
        def call(self, inputs):
            return inputs

    image = keras.Input((4,))
    keras.Model(image, Own()(image)).save(tmp_path / "model.keras")
    with pytest.raises(InputError, match="Own"):
        load_model(tmp_path / "model.keras")
