"""Classifiers that score colours, whose evidence is known to the pixel, and pictures for them."""

import keras
import numpy as np
from keras import ops

GREY = (90, 90, 90)
RED, BLUE = (225, 25, 25), (25, 25, 225)


@keras.saving.register_keras_serializable(package="wsseg-tests")
class ColourShare(keras.layers.Layer):
    """Share of the image's pixels (times `gain`, less `offset`) that are clearly red, and that are clearly blue."""

    def __init__(self, gain=60.0, offset=1.2, **kwargs):
        super().__init__(**kwargs)
        self.gain, self.offset = gain, offset

    def call(self, images):
        images = ops.cast(images, "float32")
        other = ops.maximum(images[..., 0], images[..., 2]) - images[..., 1]
        redder = ops.sign(images[..., 0] - images[..., 2])
        clear = ops.cast(other > 100, "float32")
        shares = [ops.mean(clear * ops.relu(sign * redder), axis=(1, 2)) for sign in (1, -1)]
        return self.gain * ops.stack(shares, axis=-1) - self.offset


def several_labels(size_hw=(64, 64), activation="sigmoid", **options):
    """`(B, 2)`: red and blue, each predicted where it covers more than 2 % of the image."""
    layers = [keras.Input((*size_hw, 3)), ColourShare(**options)]
    return keras.Sequential([*layers, *([keras.layers.Activation(activation)] if activation else [])])


def one_label(size_hw=(64, 64)):
    """`(B, 3)` softmax: red, blue, and neither, which has the logit 0."""
    inputs = keras.Input((*size_hw, 3))
    shares = ColourShare()(inputs)
    logits = ops.concatenate([shares, ops.zeros_like(shares[:, :1])], axis=-1)
    return keras.Model(inputs, keras.layers.Softmax()(logits))


def picture(*boxes_and_colours, size_hw=(64, 64), noise=12, seed=0):
    """A grey picture with noise, and boxes (left, top, right, bottom) in colour on it."""
    image = np.tile(np.array(GREY, float), (*size_hw, 1))
    for (left, top, right, bottom), colour in boxes_and_colours:
        image[top:bottom, left:right] = colour
    image += np.random.default_rng(seed).normal(0, noise / 3, image.shape)
    return np.clip(image, 0, 255).astype(np.uint8)
