"""Weights files: the width they tell, the top they may have, and what is said of those that don't fit."""

import h5py
import keras
import numpy as np
import pytest

from wsseg import backbones
from wsseg.backbones.weights import load_weights, mobilenet_alpha
from wsseg.errors import InputError

# Keras reads TensorFlow's variables, whose `__array__` NumPy 2 finds out of date.
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")

STD = np.array([0.229, 0.224, 0.225])


@pytest.fixture(scope="module")
def mobilenet():
    return keras.applications.MobileNet(
        include_top=True, weights=None, alpha=0.25, input_shape=(64, 64, 3), classes=5
    )


@pytest.fixture(scope="module")
def with_top(mobilenet, tmp_path_factory):
    path = tmp_path_factory.mktemp("weights") / "top.weights.h5"
    mobilenet.save_weights(path)
    return path


def test_width_is_taken_from_the_file_and_its_top_is_ignored(mobilenet, with_top):
    backbone = backbones.create("mobilenet", 16, weights=str(with_top), input_size=(64, 64))
    assert (backbone.name, backbone.alpha) == ("mobilenet_0.25", 0.25)
    for layer in ("conv1", "conv_dw_7", "conv_pw_13"):
        expected = mobilenet.get_layer(layer).get_weights()[0]
        np.testing.assert_array_equal(backbone.get_layer(layer).get_weights()[0], expected)


def test_width_wanted_must_be_the_files(with_top):
    assert mobilenet_alpha(0.25, with_top) == 0.25
    with pytest.raises(
        InputError, match=r"top\.weights\.h5 is one of a MobileNet of width 0\.25.*8 filters.*0\.5"
    ):
        backbones.create("mobilenet_0.5", weights=with_top)


def test_another_network_is_told_by_its_first_different_array(with_top):
    with pytest.raises(
        InputError, match=r"top\.weights\.h5 doesn't fit backbone `vgg16`: .* shape .*, expected"
    ):
        backbones.create("vgg16", weights=with_top)


def test_a_file_that_ends_early_is_refused(with_top, tmp_path):
    path = tmp_path / "short.weights.h5"
    path.write_bytes(with_top.read_bytes())
    with h5py.File(path, "a") as file:
        del file["layers/conv2d_5"]
    with pytest.raises(InputError, match=r"it has no layers/conv2d_5/vars/0 of shape \(1, 1, 64, 64\)"):
        backbones.create("mobilenet", weights=path)


def test_a_file_of_no_mobilenet_has_no_width(tmp_path):
    path = tmp_path / "dense.weights.h5"
    keras.Sequential([keras.Input((2,)), keras.layers.Dense(2)]).save_weights(path)
    with pytest.raises(InputError, match=r"dense\.weights\.h5 isn't one of a MobileNet"):
        backbones.create("mobilenet", weights=path)


def test_missing_misspelt_and_foreign_files(tmp_path):
    with pytest.raises(InputError, match=r"there is no file .*absent\.weights\.h5"):
        backbones.create("vgg16", weights=tmp_path / "absent.weights.h5")
    with pytest.raises(InputError, match="did you mean `imagenet`"):
        backbones.create("mobilenet", weights="imagnet")
    text = tmp_path / "text.weights.h5"
    text.write_text("weights")
    with pytest.raises(InputError, match=r"text\.weights\.h5 isn't a weights file"):
        backbones.create("vgg16", weights=text)


def test_failed_download_names_the_way_out(mobilenet):
    def offline():
        raise Exception("URL fetch failure")  # what keras.utils.get_file raises

    with pytest.raises(InputError, match="URL fetch failure; give the path"):
        load_weights(mobilenet, "imagenet", "mobilenet", offline)


def normalised(variance):
    """A network with EfficientNet's first layers, as keras.applications builds them with `weights=None`."""
    image = keras.Input((8, 8, 3))
    layer = keras.layers.Normalization()
    model = keras.Model(image, layer(keras.layers.Rescaling(1 / 255)(image)))
    layer.set_weights([np.array([0.485, 0.456, 0.406]), variance, np.array(0)])
    layer.finalize_state()
    return model


def test_imagenet_efficientnet_standardises_by_the_deviation():
    # tensorflow/tensorflow issue 49930: the file holds the deviation in the variance's place.
    network = normalised(np.ones(3))
    load_weights(network, "imagenet", "efficientnet_b0", lambda: normalised(STD))
    images = np.random.default_rng(0).uniform(0, 255, (1, 8, 8, 3)).astype("float32")
    expected = keras.applications.imagenet_utils.preprocess_input(images.copy(), mode="torch")
    np.testing.assert_allclose(network(images), expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(("stored", "used"), [(STD, STD**2), (np.ones(3), np.ones(3)), (STD**2, STD**2)])
def test_a_file_made_from_imagenet_efficientnet_does_too(tmp_path, stored, used):
    path = tmp_path / "normalised.weights.h5"
    normalised(stored).save_weights(path)
    network = normalised(np.full(3, 0.5))
    load_weights(network, path, "efficientnet_b0", None)
    np.testing.assert_allclose(network.get_weights()[1], used, rtol=1e-5)
