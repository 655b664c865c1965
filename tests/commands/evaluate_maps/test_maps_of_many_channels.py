"""`wsseg evaluate-maps` of models of other than three channels."""

import json

import keras
import numpy as np
import pytest
from keras import layers
from PIL import Image

from wsseg import explainers
from wsseg.cli import main
from wsseg.faithfulness import AverageDrop, Scorer


@pytest.mark.parametrize("channels", [1, 4, 13])
def test_the_numbers_are_those_of_the_parts(tmp_path, channels, capsys):
    keras.utils.set_random_seed(channels)
    image = keras.Input((16, 16, channels))
    tensor = layers.Conv2D(4, 3, activation="relu")(layers.Rescaling(1 / 255)(image))
    scores = layers.Dense(3, "softmax")(layers.GlobalAveragePooling2D()(tensor))
    model = keras.Model(image, scores)
    model.save(tmp_path / "model.keras")
    pixels = np.random.default_rng(0).integers(0, 256, (16, 16, channels), np.uint8)
    (tmp_path / "photos").mkdir()
    if channels == 13:
        np.save(tmp_path / "photos" / "a.npy", pixels)
    else:
        Image.fromarray(pixels.squeeze()).save(tmp_path / "photos" / "a.png")
    words = ["evaluate-maps", "--model", tmp_path / "model.keras", "--photographs", tmp_path / "photos"]
    words += [
        "--measure",
        "average_drop",
        "--measure",
        "insertion_deletion",
        "--measure",
        "road",
        "--steps",
        3,
    ]
    words += ["--method", "grad_cam", "--method", "integrated_gradients", "--out", tmp_path / "maps.json"]
    assert main(list(map(str, words))) == 0, capsys.readouterr().err
    found = json.loads((tmp_path / "maps.json").read_text())["methods"]
    batch, measure = pixels[None].astype(np.float32), AverageDrop(Scorer(model))
    top = int(np.argmax(model(batch)[0]))
    measure.update(batch[0], explainers.create("grad_cam", model=model)(batch, [top])[0], top)
    for key, value in measure.result().items():
        if isinstance(value, float):
            assert found["grad_cam"]["measures"]["average_drop"][key] == pytest.approx(value, abs=1e-3)
    assert {"road", "insertion_deletion"} <= set(found["integrated_gradients"]["measures"])


def test_images_of_other_channels_are_set_aside(tmp_path, capsys):
    image = keras.Input((8, 8, 13))
    pooled = layers.GlobalAveragePooling2D()(layers.Conv2D(2, 3)(image))
    keras.Model(image, layers.Dense(2, "softmax")(pooled)).save(tmp_path / "model.keras")
    (tmp_path / "photos").mkdir()
    Image.new("RGB", (8, 8)).save(tmp_path / "photos" / "a.png")
    words = ["evaluate-maps", "--model", tmp_path / "model.keras", "--photographs", tmp_path / "photos"]
    assert main([*map(str, words), "--out", str(tmp_path / "maps.json")]) == 2
    assert "is a picture of 1, 3 or 4 channels, and the model takes 13" in capsys.readouterr().err


def test_what_is_done_to_images_is_said_once(tmp_path, capsys):
    image = keras.Input((8, 8, 1))
    pooled = layers.GlobalAveragePooling2D()(layers.Conv2D(2, 3)(layers.Rescaling(1 / 255)(image)))
    keras.Model(image, layers.Dense(2, "softmax")(pooled)).save(tmp_path / "model.keras")
    (tmp_path / "photos").mkdir()
    for index in range(5):
        pixels = np.random.default_rng(index).integers(0, 256, (9, 9, 3), np.uint8)
        Image.fromarray(pixels).save(tmp_path / "photos" / f"{index}.png")
    words = ["evaluate-maps", "--model", tmp_path / "model.keras", "--photographs", tmp_path / "photos"]
    words += ["--measure", "sparseness", "--out", tmp_path / "maps.json"]
    assert main(list(map(str, words))) == 0
    err = capsys.readouterr().err
    assert err.count("converted to gray") == 1 and "0.png, 1.png, 2.png and 2 more: is in colour" in err


def test_a_saved_model(tmp_path, capsys):
    """Its answers show that they are probabilities; a softmax of them would be nearly even."""
    keras.utils.set_random_seed(0)
    image = keras.Input((16, 16, 3))
    pooled = layers.GlobalAveragePooling2D()(
        layers.Conv2D(4, 3, activation="relu")(layers.Rescaling(1 / 25)(image))
    )
    keras.Model(image, layers.Dense(2, "softmax")(pooled)).export(tmp_path / "saved", verbose=False)
    (tmp_path / "photos").mkdir()
    pixels = np.random.default_rng(0).integers(0, 256, (16, 16, 3), np.uint8)
    Image.fromarray(pixels).save(tmp_path / "photos" / "a.png")
    words = [
        "evaluate-maps",
        "--model",
        tmp_path / "saved",
        "--photographs",
        tmp_path / "photos",
        "--steps",
        2,
    ]
    words += ["--measure", "insertion_deletion", "--out", tmp_path / "maps.json"]
    assert main([*map(str, words)]) == 2
    assert "needs the output of a layer, and a SavedModel can only be called" in capsys.readouterr().err
    assert main([*map(str, words), "--method", "occlusion"]) == 0, capsys.readouterr().err
    content = json.loads((tmp_path / "maps.json").read_text())
    expected = float(
        np.max(keras.layers.TFSMLayer(tmp_path / "saved", "serving_default")(pixels[None] * 1.0)["output_0"])
    )
    assert content["settings"]["outputs"] == "probabilities"
    assert content["images"]["mean_probability"] == pytest.approx(expected, abs=1e-4)
