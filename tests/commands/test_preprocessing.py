"""Preprocessing by name, by means, and what is found in a model."""

import keras
import numpy as np
import pytest
from keras import applications, layers

from wsseg.commands.own_preprocessing import family_by_names, own_preprocessing
from wsseg.commands.preprocessing import FAMILIES, mode_of, preprocessing
from wsseg.errors import InputError

IMAGES = np.random.default_rng(0).uniform(0, 255, (2, 3, 4, 3)).astype(np.float32)


def test_every_family_is_keras_own():
    modules = [name for name in dir(applications) if hasattr(getattr(applications, name), "preprocess_input")]
    assert set(modules) - {"imagenet_utils", "resnet50"} == set(FAMILIES)
    for family in modules:
        if family == "imagenet_utils":
            continue
        expected = getattr(applications, family).preprocess_input(IMAGES.copy())
        before = IMAGES.copy()
        np.testing.assert_allclose(
            preprocessing(family)(IMAGES), expected, rtol=1e-5, atol=1e-4, err_msg=family
        )
        np.testing.assert_array_equal(IMAGES, before)


def test_every_network_of_keras_has_the_mode_of_its_family():
    networks = [name for name in dir(applications) if name[0].isupper()]
    networks = [name for name in networks if getattr(applications, name).__module__.startswith("keras.")]
    modes = {name: mode_of(name) for name in networks}
    assert len(networks) > 35 and modes["MobileNetV3Small"] == "none" and modes["InceptionResNetV2"] == "tf"
    assert modes["ResNet101"] == "caffe" and modes["ResNet101V2"] == "tf" and modes["DenseNet201"] == "torch"
    with pytest.raises(InputError, match="unknown preprocessing `densnet`; did you mean `densenet`"):
        mode_of("densnet")


def test_means_and_deviations():
    found = preprocessing(None, 3, (1, 2, 3), (4, 5, 6), scaled=True)(IMAGES)
    np.testing.assert_allclose(found, (IMAGES - [1, 2, 3]) / [4, 5, 6], rtol=1e-5)
    np.testing.assert_allclose(preprocessing(None, 13, (100.0,))(IMAGES), IMAGES - 100, rtol=1e-5)
    for options, message in (
        ((None, 3, (0.5,), (0.2,)), r"of values in \[0, 1\] \(0.5, 0.2\).* add --scale 1/255"),
        ((None, 13, (100, 1), None), "--mean has 2 numbers, and the model takes 13 channels"),
        ((None, 3, (100,), (0,)), "--std must be positive"),
        (("tf", 3, (100,), None), "--preprocess tf has its own means"),
        (("torch", 13), "--preprocess torch has means of red, green and blue, and the model takes 13"),
    ):
        with pytest.raises(InputError, match=message):
            preprocessing(*options)


def test_one_channel_gets_the_average_of_the_means():
    gray = IMAGES[..., :1]
    torch, caffe = preprocessing("torch", 1), preprocessing("resnet50", 1)
    np.testing.assert_allclose(torch(gray), (gray / 255 - 0.449) / 0.226, rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(caffe(gray), gray - (103.939 + 116.779 + 123.68) / 3, rtol=1e-4, atol=1e-4)
    assert "their average is used (0.449 and 0.226)" in torch.remark
    assert preprocessing("tf", 1)(gray).max() <= 1 and not preprocessing("tf", 1).remark


def after(*operations, weights=True):
    image = tensor = keras.Input((16, 16, 3))
    for operation in operations:
        tensor = operation(tensor)
    tensor = layers.Conv2D(2, 3)(tensor)
    return keras.Model(image, layers.Rescaling(2.0, name="later")(tensor))


def test_own_preprocessing_stands_before_the_first_weights():
    assert own_preprocessing(after()) == ([], False)
    assert own_preprocessing(after(layers.ZeroPadding2D(), layers.RandomFlip())) == ([], False)
    assert own_preprocessing(after(layers.Rescaling(1 / 255, name="a"))) == (["a"], False)
    assert own_preprocessing(after(layers.Normalization(mean=1.0, variance=2.0, name="b"))) == (["b"], False)
    found, unknown = own_preprocessing(after(lambda x: x / 127.5 - 1))
    assert len(found) == 2 and not unknown
    assert own_preprocessing(after(layers.Lambda(lambda x: x / 2))) == ([], True)
    nested = keras.Sequential([keras.Input((16, 16, 3)), after(layers.Rescaling(1 / 255, name="inside"))])
    assert own_preprocessing(nested) == (["inside"], False)


def test_the_family_is_told_by_the_names_of_layers():
    small = {"weights": None, "input_shape": (32, 32, 3), "include_top": False}
    for network, family in (("MobileNet", "mobilenet"), ("MobileNetV2", "mobilenet_v2"), ("VGG16", "vgg16")):
        body = getattr(applications, network)(**small)
        assert family_by_names(body) == family
        assert family_by_names(keras.Sequential([keras.Input((32, 32, 3)), body])) == family
    assert family_by_names(after()) is None
