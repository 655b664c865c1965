"""Loading `.keras` files: anybody's, this package's layers, and files that are none."""

import sys
import warnings
import zipfile

import h5py
import keras
import numpy as np
import pytest

from wsseg.errors import InputError
from wsseg.layers.masked_pooling import MaskedGlobalAveragePooling2D
from wsseg.saved_models import import_custom_objects, load_model, load_saved_model


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
    with pytest.raises(
        InputError, match=r"it needs `Own`, which Keras does not know; .* --custom-objects module:Own$"
    ):
        load_model(tmp_path / "model.keras")


def small(layer=None):
    image = keras.Input((8, 8, 3))
    tensor = keras.layers.Conv2D(2, 3)(image)
    tensor = tensor if layer is None else layer(tensor)
    return keras.Model(image, keras.layers.Dense(2)(keras.layers.GlobalAveragePooling2D()(tensor)))


def test_h5_of_a_whole_model_and_of_weights_alone(tmp_path):
    model = small()
    model.save(tmp_path / "model.h5")
    model.save_weights(tmp_path / "only.weights.h5")
    images = np.ones((1, 8, 8, 3))
    np.testing.assert_allclose(load_model(tmp_path / "model.h5")(images), model(images), rtol=1e-5)
    (tmp_path / "renamed.keras").write_bytes((tmp_path / "only.weights.h5").read_bytes())
    for name in ("only.weights.h5", "renamed.keras"):
        with pytest.raises(InputError, match="it holds weights alone, and not the layers"):
            load_model(tmp_path / name)
    (tmp_path / "model.keras").write_bytes((tmp_path / "model.h5").read_bytes())
    with pytest.raises(InputError, match=r"it is an HDF5 file; rename it to end in .h5"):
        load_model(tmp_path / "model.keras")


@pytest.mark.parametrize("suffix", ["keras", "h5"])
def test_custom_objects_from_the_working_folder(tmp_path, monkeypatch, suffix):
    (tmp_path / "layers_of_mine.py").write_text(
        "import keras\n\n\nclass Twice(keras.layers.Layer):\n    def call(self, inputs):\n        return inputs * 2\n"
    )
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("sys.path", [path for path in sys.path if path])
    monkeypatch.delitem(sys.modules, "layers_of_mine", raising=False)
    found = import_custom_objects(["layers_of_mine:Twice"])
    small(found["Twice"]()).save(f"model.{suffix}")
    assert any(type(layer).__name__ == "Twice" for layer in load_model(f"model.{suffix}", found).layers)
    with pytest.raises(InputError, match="it needs `Twice`"):
        load_model(f"model.{suffix}")
    for word, message in (
        ("Twice", "expected module:Class"),
        ("layers_of_mine:Twic", "has no `Twic`; did you mean `Twice`"),
        ("absent_module:Twice", "module `absent_module` cannot be imported .* PYTHONPATH"),
    ):
        with pytest.raises(InputError, match=message):
            import_custom_objects([word])


@pytest.mark.parametrize("suffix", ["keras", "h5"])
def test_a_lambda_is_not_run(tmp_path, suffix):
    small(keras.layers.Lambda(lambda x: x * 2)).save(tmp_path / f"model.{suffix}")
    with pytest.raises(
        InputError, match=r"it has a `Lambda` layer, which may run any code .* safe_mode=False"
    ):
        load_model(tmp_path / f"model.{suffix}")


def test_a_quantised_model(tmp_path):
    model = small()
    with warnings.catch_warnings(action="ignore"):  # that pooling has nothing to quantise
        model.quantize("int8")
    model.save(tmp_path / "model.keras")
    images = np.random.default_rng(0).random((2, 8, 8, 3))
    np.testing.assert_allclose(
        load_model(tmp_path / "model.keras")(images), model(images), rtol=1e-5, atol=1e-6
    )


def test_a_saved_model(tmp_path):
    model = small()
    model.export(tmp_path / "saved", verbose=False)
    images = np.random.default_rng(0).random((2, 8, 8, 3)).astype(np.float32)
    loaded = load_saved_model(tmp_path / "saved")
    np.testing.assert_allclose(loaded(images), model(images), rtol=1e-5)
    assert loaded.input_shape == (None, 8, 8, 3)
    with pytest.raises(InputError, match=r"is a folder; give a .keras file"):
        load_model(tmp_path / "saved")
    (tmp_path / "saved" / "saved_model.pb").write_bytes(b"broken")
    with pytest.raises(InputError, match="cannot be loaded as a SavedModel"):
        load_saved_model(tmp_path / "saved")


@pytest.mark.parametrize("suffix", [".keras", ".h5"])
@pytest.mark.parametrize("units", [2**40, 10**30])
def test_a_layer_that_the_file_cannot_hold_is_refused_before_it_is_built(tmp_path, suffix, units):
    path = tmp_path / f"model{suffix}"
    keras.Sequential([keras.Input((3,)), keras.layers.Dense(2, name="top")]).save(path)
    load_model(path)
    if suffix == ".h5":
        with h5py.File(path, "r+") as file:
            file.attrs["model_config"] = file.attrs["model_config"].replace('"units": 2', f'"units": {units}')
    else:
        with zipfile.ZipFile(path) as archive:
            content = {name: archive.read(name) for name in archive.namelist()}
        content["config.json"] = content["config.json"].replace(b'"units": 2', b'"units": %d' % units)
        with zipfile.ZipFile(path, "w") as archive:
            for name, data in content.items():
                archive.writestr(name, data)
    with pytest.raises(InputError, match=rf"asks for a layer with `units` {units}, but holds only \d+ bytes"):
        load_model(path)


def test_an_archive_that_unpacks_to_far_more_is_refused(tmp_path):
    with zipfile.ZipFile(tmp_path / "bomb.keras", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("config.json", "{}")
        archive.writestr("model.weights.h5", bytes(2**26))
    with pytest.raises(InputError, match=r"`model\.weights\.h5` would unpack to 64 MiB from"):
        load_model(tmp_path / "bomb.keras")
