"""fc6 and fc7: convolutions equal to VGG-16's dense layers, and the files that these are read from."""

import h5py
import keras
import numpy as np
import pytest

from wsseg import backbones
from wsseg.backbones import vgg_dense
from wsseg.backbones.vgg_chain import image_input, vgg16
from wsseg.backbones.vgg_dense import SHAPES, Affine, as_convolutions, fc6_fc7, read_dense
from wsseg.errors import InputError

RNG = np.random.default_rng(0)
UNITS = 16  # 4096 in VGG-16


def affine(inputs, units):
    return Affine(
        RNG.normal(size=(inputs, units)).astype("float32"), RNG.normal(size=units).astype("float32")
    )


@pytest.fixture
def small(monkeypatch):
    """Dense layers of 16 units in place of 4096, on the real 7 x 7 x 512 map."""
    monkeypatch.setattr(vgg_dense, "SHAPES", {"fc1": (25088, UNITS), "fc2": (UNITS, UNITS)})
    return affine(25088, UNITS), affine(UNITS, UNITS)


def with_top(dense):
    """VGG-16's dense layers, in a network of their own that Keras can save."""
    image = keras.Input((7, 7, 512))
    x = keras.layers.Flatten(name="flatten")(image)
    for name, weights in zip(SHAPES, dense):
        layer = keras.layers.Dense(UNITS, activation="relu", name=name)
        x = layer(x)
        layer.set_weights(weights)
    return keras.Model(image, keras.layers.Dense(3, name="predictions")(x))


def test_published_shapes():
    assert SHAPES == {"fc1": (25088, 4096), "fc2": (4096, 4096)}


def test_dense_layers_are_the_convolutions_at_their_place(small):
    fc1, fc2 = small
    whole = RNG.uniform(0, 1, (1, 9, 10, 512)).astype("float32")
    features = keras.Input((None, None, 512))
    network = keras.Model(features, fc6_fc7(features, UNITS))
    for name, weights in zip(("fc6", "fc7"), as_convolutions(fc1, fc2, 7, UNITS)):
        network.get_layer(name).set_weights(weights)
    convolved = network(whole).numpy()
    assert convolved.shape == (1, 3, 4, UNITS)
    dense = with_top(small)
    dense = keras.Model(dense.input, dense.get_layer("fc2").output)
    for row, column in [(0, 0), (1, 2), (2, 3)]:
        expected = dense(whole[:, row : row + 7, column : column + 7])[0]
        assert np.abs(expected).max() > 1
        np.testing.assert_allclose(convolved[0, row, column], expected, rtol=1e-3, atol=1e-2)


def test_decimation_takes_the_taps_and_channels_stated():
    # Each weight says where it comes from: row, column, channel of the map; unit.
    rows, columns, channels, units = np.indices((7, 7, 2, 8))
    coded = (rows * 1000 + columns * 100 + channels * 10 + units).astype(float)
    fc2 = Affine(np.arange(8)[:, None] * 10.0 + np.arange(8), np.arange(8.0))
    fc6, fc7 = as_convolutions(Affine(coded.reshape(98, 8), np.arange(8.0)), fc2, kernel=3, channels=2)
    assert fc6.kernel.shape == (3, 3, 2, 2)
    assert fc6.kernel[1, 2, 1].tolist() == [3610, 3614]  # taps 0, 3, 6; units 0, 4
    assert fc6.kernel[0, 1, 0].tolist() == [300, 304]
    assert fc7.kernel[0, 0].tolist() == [[0, 4], [40, 44]]
    assert fc6.bias.tolist() == fc7.bias.tolist() == [0, 4]
    with pytest.raises(InputError, match="`channels` can be at most 8 with pretrained dense layers; got 9"):
        as_convolutions(Affine(coded.reshape(98, 8), np.arange(8.0)), fc2, kernel=3, channels=9)


@pytest.mark.parametrize("file", ["top.weights.h5", "whole_model.h5"])  # Keras 3's layout, Keras 2's
def test_files_that_keras_writes(tmp_path, small, file):
    network = with_top(small)
    network.save_weights(tmp_path / file) if "weights" in file else network.save(tmp_path / file)
    for found, expected in zip(read_dense(tmp_path / file), small):
        np.testing.assert_array_equal(found.kernel, expected.kernel)
        np.testing.assert_array_equal(found.bias, expected.bias)
    features = keras.Input((7, 7, 512))
    fc7 = fc6_fc7(features, 4, tmp_path / file, kernel=3, rate=12, padding="same")
    fc6, bias = keras.Model(features, fc7).get_layer("fc6").get_weights()
    np.testing.assert_array_equal(fc6[2, 0], small[0].kernel.reshape(7, 7, 512, UNITS)[6, 0][:, ::4])
    np.testing.assert_array_equal(bias, small[0].bias[::4])


def legacy_file(path, dense, left_out=()):
    """Write VGG-16 with its top as the file that Keras downloads: one group a layer, weights as it named them."""
    backbone = backbones.create("vgg16")
    names = [layer.name for layer in backbone.layers if layer.weights]
    with h5py.File(path, "w") as file:
        for name in names:
            if name not in left_out:
                for key, array in zip(("W", "b"), backbone.get_layer(name).get_weights()):
                    file[f"{name}/{name}_{key}_1:0"] = array
        for name, weights in zip(SHAPES, dense):
            file[f"{name}/{name}_W_1:0"], file[f"{name}/{name}_b_1:0"] = weights
    return backbone


def test_keras_own_download_with_top_gives_convolutions_and_dense_layers(tmp_path, small):
    path = tmp_path / "vgg16_weights_tf_dim_ordering_tf_kernels.h5"
    backbone = legacy_file(path, small)
    chain = vgg16(image_input(None), path, {})
    for layer in backbone.layers:
        for found, expected in zip(chain.get_layer(layer.name).get_weights(), layer.get_weights()):
            np.testing.assert_array_equal(found, expected)
    np.testing.assert_array_equal(read_dense(path)[1].kernel, small[1].kernel)


def test_a_file_of_another_network_names_what_differs(tmp_path, small):
    legacy_file(tmp_path / "short.h5", small, left_out=("block4_conv2",))
    with pytest.raises(
        InputError, match=r"isn't one of VGG-16: it has no `block4_conv2`, expected shape \(3, 3, 512, 512\)"
    ):
        vgg16(image_input(None), tmp_path / "short.h5", {})
    other = with_top((small[0], affine(UNITS, UNITS)))
    other.save_weights(tmp_path / "other.weights.h5")
    with h5py.File(tmp_path / "other.weights.h5", "a") as file:
        del file["layers/dense_1/vars/0"]
        file["layers/dense_1/vars/0"] = np.zeros((UNITS, 5))
    with pytest.raises(
        InputError, match=r"`layers/dense_1/vars/0` of shape \(16, 5\), expected shape \(16, 16\)"
    ):
        read_dense(tmp_path / "other.weights.h5")


def test_real_shapes_are_asked_for(tmp_path, small, monkeypatch):
    with_top(small).save_weights(tmp_path / "small.weights.h5")
    monkeypatch.setattr(vgg_dense, "SHAPES", SHAPES)
    with pytest.raises(InputError, match=r"of shape \(25088, 16\), expected shape \(25088, 4096\)"):
        read_dense(tmp_path / "small.weights.h5")


def test_without_the_top_fc6_and_fc7_are_random(tmp_path):
    backbones.create("vgg16").save_weights(tmp_path / "convolutions.weights.h5")
    assert read_dense(tmp_path / "convolutions.weights.h5") is None
    features = keras.Input((7, 7, 512))
    network = keras.Model(features, fc6_fc7(features, 4, tmp_path / "convolutions.weights.h5"))
    assert network.get_layer("fc6").get_weights()[0].std() > 0
    assert read_dense(None) is None


def test_imagenet_and_a_failed_download(small, monkeypatch):
    monkeypatch.setattr(keras.applications, "VGG16", lambda weights: with_top(small))
    np.testing.assert_array_equal(read_dense("imagenet")[0].kernel, small[0].kernel)

    def offline(weights):
        raise Exception("URL fetch failure")  # what keras.utils.get_file raises

    monkeypatch.setattr(keras.applications, "VGG16", offline)
    with pytest.raises(InputError, match="URL fetch failure; give the path"):
        read_dense("imagenet")
