"""Every segmenter, small enough to train on two cores, and scenes to train it on."""

import keras
import numpy as np
import tensorflow as tf

from wsseg import segmenters
from wsseg.datasets.scenes import CLASSES, render

# name -> options that make it small, side of its images
SMALL = {
    "fcn_32s": ({"channels": 64, "padding": "same"}, 64),
    "fcn_16s": ({"channels": 64, "padding": "same"}, 64),
    "fcn_8s": ({"channels": 64, "padding": "same"}, 64),
    "unet": ({"channels": 8}, 64),
    "unet_valid": ({"channels": 8}, 204),
    "deconvnet": ({"channels": 32, "width": 0.125}, 224),
    "segnet": ({"width": 0.25}, 64),
    "parsenet": ({"channels": 64}, 64),
    "deeplab_v1": ({"channels": 64}, 64),
    "deeplab_v2": ({"backbone": "plain", "output_stride": 8}, 64),
    "deeplab_v3": ({"backbone": "plain", "output_stride": 8, "channels": 32}, 64),
    "deeplab_v3_plus": ({"backbone": "plain", "output_stride": 8, "channels": 32}, 64),
    "pspnet": ({"backbone": "plain", "channels": 32}, 64),
    "fpn": ({"backbone": "plain", "channels": 32, "head_channels": 16}, 64),
    "fcn_resnet50": ({}, 64),
    "fcn_resnet101": ({}, 64),
    "deeplab_v3_resnet50": ({}, 64),
    "deeplab_v3_resnet101": ({}, 64),
}
NUM_CLASSES = len(CLASSES) + 1


def small(name, **options):
    """Return the small network of a name, of fixed input size, and that size's side."""
    own, side = SMALL[name]
    keras.utils.set_random_seed(0)
    return segmenters.create(
        name, **{"num_classes": NUM_CLASSES, "input_size": (side, side)} | own | options
    ), side


def scenes(count, side, split="train"):
    """Render scenes: images `(N, side, side, 3) float32` in [0, 255] and masks `(N, side, side) int32`."""
    made = [render(0, split, index, side) for index in range(count)]
    return (
        np.stack([scene.image for scene in made]).astype("float32"),
        np.stack([scene.mask for scene in made]).astype("int32"),
    )


def inside(masks, margin):
    """Cut the margin that a network's logits lack off masks `(N, H, W)`."""
    return masks[:, margin : masks.shape[1] - margin, margin : masks.shape[2] - margin]


class SceneBatches:
    """Two batches of four scenes, the same each epoch, in the form of a segmenter's training batches.

    Args:
        taught: Whether for a mean teacher, with validity and labels.
    """

    steps, batch_size = 2, 4

    def __init__(self, taught):
        self.taught = taught

    def epoch(self, number):
        images, masks = scenes(8, 64)
        valid, labels = np.ones((8, 64, 64), np.float32), np.ones((8, NUM_CLASSES - 1), np.float32)
        inputs = (images, valid, labels) if self.taught else images
        return tf.data.Dataset.from_tensor_slices((inputs, masks)).batch(4)
