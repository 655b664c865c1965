"""The first convolution's rewriting, on a photograph: the same response to the same image."""

import keras
import numpy as np
from references import torchvision_networks as reference

from wsseg.imported_weights.first_convolution import for_caffe_images
from wsseg.imported_weights.torchvision_tensors import to_keras


def response(weight, bias, image, mode):
    fed = keras.applications.imagenet_utils.preprocess_input(image[None].astype("float32"), mode=mode)
    layer = keras.layers.Conv2D(len(bias), 3, padding="same")
    layer.build(fed.shape)
    layer.set_weights([to_keras(weight), bias])
    return np.array(layer(fed))[0]


def test_caffes_image_gives_the_response_of_torchvisions():
    rng = np.random.default_rng(0)
    weight, bias = rng.normal(0, 0.2, (4, 3, 3, 3)).astype("float32"), rng.normal(0, 1, 4).astype("float32")
    image = reference.photograph()
    expected = response(weight, bias, image, "torch")
    found = response(*for_caffe_images(weight, bias), image, "caffe")
    np.testing.assert_allclose(found[1:-1, 1:-1], expected[1:-1, 1:-1], rtol=0, atol=2e-5)
    # The border's zeros are another colour, hardly: 0.009 a channel and tap.
    assert 1e-4 < np.abs(found - expected).max() < 0.009 * np.abs(weight).sum((1, 2, 3)).max()
