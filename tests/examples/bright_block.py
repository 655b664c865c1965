"""A classifier whose answer is known: how bright a block of the image is."""

import keras
import numpy as np
from keras import layers

SIDE, BLOCK = 12, (slice(3, 7), slice(4, 9))
"""Side of the square image; rows and columns of the block."""


def block_mask():
    """Return `(12, 12)` bool: the pixels that the class score depends on."""
    mask = np.zeros((SIDE, SIDE), bool)
    mask[BLOCK] = True
    return mask


def block_classifier(activation="softmax"):
    """Return images in [0, 255] -> 3 classes; class 1 rises with the brightness of the block, the others are flat."""
    image = keras.Input((SIDE, SIDE, 3))
    dense = layers.Dense(3, name="logits", activation=activation)
    model = keras.Model(image, dense(layers.Flatten()(image)), name="block")
    kernel = np.zeros((SIDE, SIDE, 3, 3), np.float32)
    kernel[(*BLOCK, slice(None), 1)] = 4 / (block_mask().sum() * 3 * 255)
    dense.set_weights([kernel.reshape(-1, 3), np.array([0, -2, 0], np.float32)])
    return model


def block_image(seed=0):
    """Return `(12, 12, 3)` float32: a bright block on dark noise."""
    image = np.random.default_rng(seed).uniform(0, 60, (SIDE, SIDE, 3)).astype(np.float32)
    image[BLOCK] += 190
    return image
