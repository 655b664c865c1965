"""VGG-16 with layers exchanged: the rest stays, and Caffe's poolings are Caffe's."""

import keras
import numpy as np
import pytest
from references.caffe_layers import max_pooling

from wsseg import backbones
from wsseg.backbones.vgg_chain import POOLS, caffe_max_pooling, image_input, vgg16
from wsseg.errors import InputError


def test_nothing_exchanged_is_the_backbone(tmp_path):
    backbone = backbones.create("vgg16")
    backbone.save_weights(tmp_path / "vgg.weights.h5")
    chain = vgg16(image_input(None), tmp_path / "vgg.weights.h5", {})
    assert [layer.name for layer in chain.layers] == [layer.name for layer in backbone.layers]
    images = np.random.default_rng(0).uniform(0, 255, (1, 32, 48, 3)).astype("float32")
    expected = backbone(images)
    for level, features in chain(images).items():
        np.testing.assert_array_equal(features, expected[level])


def test_exchanged_layers():
    new = keras.layers.ZeroPadding2D(3, name="padding")
    chain = vgg16(
        image_input((64, 32)), None, {"block1_conv1": [new, {}], "block5_conv1": [{"dilation_rate": (2, 2)}]}
    )
    assert chain.get_layer("padding").input is chain.get_layer("image_preprocessing").output
    assert chain.get_layer("block1_conv1").output.shape[1:3] == (70, 38)
    assert chain.get_layer("block5_conv1").dilation_rate == (2, 2)
    assert chain.get_layer("block5_conv2").dilation_rate == (1, 1)


@pytest.mark.parametrize("size_hw", [(1, 2), (3, 4), (5, 5), (8, 9)])
def test_poolings_are_caffes(size_hw):
    image = keras.Input((None, None, 1))
    x = image
    for layer in caffe_max_pooling("pool"):
        x = layer(x)
    features = np.random.default_rng(0).uniform(0, 1, size_hw).astype("float32")  # as after a ReLU
    np.testing.assert_array_equal(
        keras.Model(image, x)(features[None, :, :, None])[0, :, :, 0], max_pooling(features, 3, 2, 1)
    )
    # FCN's: 2x2 with the size rounded up.
    rounded_up = keras.layers.MaxPooling2D(2, padding="same")(features[None, :, :, None])
    np.testing.assert_array_equal(rounded_up[0, :, :, 0], max_pooling(features, 2, 2, 0))


def test_poolings_have_their_names():
    chain = vgg16(image_input(None), None, {})
    assert [layer.name for layer in chain.layers if isinstance(layer, keras.layers.MaxPooling2D)] == list(
        POOLS
    )


@pytest.mark.parametrize("size", [(0, 32), (32,), (32, 1.5)])
def test_illegal_sizes(size):
    with pytest.raises(InputError, match="`input_size` must be"):
        image_input(size)
