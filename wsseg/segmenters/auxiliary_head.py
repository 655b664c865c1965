"""The second head of PSPNet: a small classifier on an inner level, for a second training loss."""

import keras
from keras import layers

from wsseg.backbones.placement import place
from wsseg.layers.aspp import convolution
from wsseg.layers.bilinear_resize import BilinearResizeTo

LEVEL = "level_4"
"""The output of ResNet's fourth stage, its last but one (Zhao et al. 2017, section 3.3: `res4b22`)."""


def auxiliary_head(network: keras.Model, num_classes: int, channels: int) -> keras.KerasTensor:
    """Add a 3x3 convolution with batch norm and ReLU, dropout, and a 1x1 classifier to level 4.

    Args:
        network: A backbone (`wsseg.backbones.create`).
        num_classes: Number of classes, including the background.
        channels: Number of channels of the 3x3 convolution.

    Returns:
        `(B, H, W, num_classes)` float32 logits at the image's size.

    References:
        Zhao et al., Pyramid Scene Parsing Network, CVPR 2017, section 3.3.
    """
    features = convolution(network.output[LEVEL], channels, "auxiliary_0", kernel=3)
    features = layers.Dropout(0.1, name="auxiliary_dropout")(features)
    scores = layers.Conv2D(num_classes, 1, dtype="float32", name="auxiliary_scores")(features)
    to_image = BilinearResizeTo(**place(network, LEVEL), name="auxiliary_logits", dtype="float32")
    return to_image([scores, network.inputs[0]])
