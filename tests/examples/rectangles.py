"""Images of coloured rectangles with their masks, on which a segmenter's loss must fall."""

import keras
import numpy as np

from wsseg.losses import BalancedCrossEntropy


def rectangles(side=64):
    """Return two images `(2, side, side, 3)` in [0, 255] of a red and a blue rectangle, and their masks."""
    images = np.full((2, side, side, 3), 30, "float32")
    masks = np.zeros((2, side, side), "int32")
    images[:, 16:48, 16:40, 0], masks[:, 16:48, 16:40] = 220, 1
    images[:, 40:60, 4:30, 2], masks[:, 40:60, 4:30] = 220, 2
    masks[:, :4] = 255
    return images, masks


def losses_of(model, steps, rate=3e-3, loss=None):
    """Train on the rectangles; return the loss of each step."""
    images, masks = rectangles()
    model.compile(keras.optimizers.Adam(rate), loss or BalancedCrossEntropy(), run_eagerly=True)
    return [float(model.train_on_batch(images, masks)) for _ in range(steps)]
