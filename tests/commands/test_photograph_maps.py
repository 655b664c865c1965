"""What a photograph's maps show: a classifier of colours must point to them."""

import keras
import numpy as np
import pytest
from keras import layers
from PIL import Image

from wsseg.commands import photographs
from wsseg.commands.classifiers import LoadedModel
from wsseg.commands.load_classifier import imagenet_names, load_classifier
from wsseg.commands.photographs import explain

NAMES = ("red", "green", "blue")


def colours(size=None, scale=1 / 255):
    """Return a classifier of red, green and blue: each score is the mean of a channel."""
    image = keras.Input((size, size, 3))
    tensor = layers.Conv2D(3, 1, use_bias=False, name="colour")(layers.Rescaling(scale)(image))
    head = layers.Dense(3, use_bias=False, activation="softmax")
    model = keras.Model(image, head(layers.GlobalAveragePooling2D()(tensor)))
    model.get_layer("colour").set_weights([np.eye(3)[None, None]])
    head.set_weights([10 * np.eye(3)])
    return model


@pytest.fixture
def model(tmp_path):
    path = tmp_path / "colours.keras"
    colours().save(path)
    return path


@pytest.fixture
def photograph(tmp_path):
    """Return a photograph that is blue below and red in a smaller part above."""
    pixels = np.zeros((90, 120, 3), np.uint8)
    pixels[40:, :, 2] = 255
    pixels[:40, 60:, 0] = 255
    Image.fromarray(pixels).save(tmp_path / "photograph.png")
    return tmp_path / "photograph.png"


@pytest.mark.parametrize("method", ["cam", "grad_cam"])
def test_maps_lie_on_the_colours(model, photograph, method):
    classifier = load_classifier(str(model), class_names=NAMES)
    classes, maps, image = explain(photograph, classifier, [method], top=2)
    assert [(index, name) for index, name, _ in classes] == [(2, "blue"), (0, "red")]
    assert image.shape == (90, 120, 3) and maps[method].shape == (2, 90, 120)
    blue, red = maps[method]
    assert blue[60:, :].min() > 0.95 and blue[:30].max() < 0.05
    assert red[:30, 75:].min() > 0.95 and red[:, :45].max() < 0.05


def test_class_that_is_nowhere_has_an_empty_map(model, photograph):
    classifier = load_classifier(model, class_names=NAMES)
    classes, maps, _ = explain(photograph, classifier, ["cam"], wanted=["green", "0"])
    assert [name for _, name, _ in classes] == ["green", "red"]
    assert not maps["cam"][0].any() and maps["cam"][1].max() > 0.95


def test_preprocessing_is_applied_and_the_batch_left_as_it_was(tmp_path, photograph):
    path = tmp_path / "small.keras"
    colours(32, scale=1.0).save(path)
    classes, maps, _ = explain(photograph, load_classifier(path, preprocess="unit"), ["cam"])
    assert maps["cam"].shape == (3, 90, 120)
    assert classes[0][2] < 0.99  # of values in [0, 255] the softmax would be 1
    image = np.full((1, 2, 2, 3), 255, np.float32)
    assert load_classifier(path, preprocess="tf").preprocess(image).max() == 1
    caffe = load_classifier(path, preprocess="resnet50").preprocess
    np.testing.assert_allclose(caffe(image)[0, 0, 0], [255 - 103.939, 255 - 116.779, 255 - 123.68], rtol=1e-5)
    assert image.min() == 255


def test_one_explainer_and_trace_for_photographs_of_one_shape(model, photograph):
    classifier = load_classifier(model)
    for _ in range(3):
        explain(photograph, classifier, ["grad_cam"])
    (function,) = classifier.explainer("grad_cam")._functions.values()
    assert function.experimental_get_tracing_count() == 1


def test_any_size_is_a_multiple_of_32_on_the_long_side(photograph):
    shapes = []

    def preprocess(batch):
        shapes.append(batch.shape)
        return batch

    explain(photograph, LoadedModel(colours(), preprocess), ["cam"])
    assert shapes == [(1, 320, photographs.ANY_SIZE, 3)]  # 90 x 120: 336 x 448 is 10.5 x 14 times 32


def test_imagenet_names_are_in_the_order_of_the_outputs(monkeypatch):
    from keras.applications import imagenet_utils

    def decode(scores, top):
        order = np.argsort(-scores[0])[:top]
        return [[(f"n{i}", f"name {i}", scores[0, i]) for i in order]]

    monkeypatch.setattr(imagenet_utils, "decode_predictions", decode)
    names = imagenet_names()
    assert len(names) == 1000 and names[0] == "name 0" and names[999] == "name 999"
