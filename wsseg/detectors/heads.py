"""The heads of detectors: for proposals, for classes and boxes, and for masks."""

import keras
from keras import layers


def proposal_head(in_channels: int, channels: int, anchors: int) -> keras.Model:
    """Build the head of the region proposal network, shared by all feature maps.

    Args:
        in_channels: Number of channels of a feature map.
        channels: Number of channels of the 3x3 convolution.
        anchors: Number of anchors per cell.

    Returns:
        A model: `(B, h, w, in_channels)` -> objectness logits `(B, h, w, anchors)` and offsets
        `(B, h, w, 4 anchors)`, float32.

    References:
        Ren et al., Faster R-CNN, NeurIPS 2015, section 3.1; initial values from its section 3.1.3.
    """
    features = layers.Input((None, None, in_channels))
    small = keras.initializers.RandomNormal(stddev=0.01)
    x = layers.Conv2D(
        channels, 3, padding="same", activation="relu", kernel_initializer=small, name="rpn_conv"
    )(features)
    objectness = layers.Conv2D(anchors, 1, kernel_initializer=small, dtype="float32", name="rpn_objectness")(
        x
    )
    offsets = layers.Conv2D(4 * anchors, 1, kernel_initializer=small, dtype="float32", name="rpn_boxes")(x)
    return keras.Model(features, [objectness, offsets], name="rpn")


def box_head(side: int, in_channels: int, channels: int, num_classes: int) -> keras.Model:
    """Build the head that classifies regions and refines their boxes: two dense layers.

    Args:
        side: Bins per side of a region's features.
        in_channels: Number of channels of a region's features.
        channels: Number of channels of the dense layers.
        num_classes: Number of classes, including the background.

    Returns:
        A model: `(N, side, side, in_channels)` -> class logits `(N, num_classes)` and, for each class, offsets
        `(N, 4 num_classes)`, float32.

    References:
        Girshick, Fast R-CNN, ICCV 2015; Lin et al., CVPR 2017, section 5.2 (two layers of 1,024).
    """
    features = layers.Input((side, side, in_channels))
    x = layers.Flatten(name="box_flatten")(features)
    for number in (1, 2):
        x = layers.Dense(
            channels, activation="relu", kernel_initializer="he_uniform", name=f"box_dense_{number}"
        )(x)
    classes = keras.initializers.RandomNormal(stddev=0.01)
    offsets = keras.initializers.RandomNormal(stddev=0.001)
    return keras.Model(
        features,
        [
            layers.Dense(num_classes, kernel_initializer=classes, dtype="float32", name="box_classes")(x),
            layers.Dense(4 * num_classes, kernel_initializer=offsets, dtype="float32", name="box_offsets")(x),
        ],
        name="box_head",
    )


def mask_head(side: int, in_channels: int, channels: int, num_classes: int) -> keras.Model:
    """Build the head that predicts the masks of regions: four convolutions and an upsampling by 2.

    Args:
        side: Bins per side of a region's features.
        in_channels: Number of channels of a region's features.
        channels: Number of channels of the convolutions.
        num_classes: Number of classes, including the background.

    Returns:
        A model: `(N, side, side, in_channels)` -> logits `(N, 2 side, 2 side, num_classes)` float32. Each class has a
        sigmoid of its own, so classes do not compete.

    References:
        He et al., Mask R-CNN, ICCV 2017, section 3 and figure 4, right.
    """
    features = layers.Input((side, side, in_channels))
    x = features
    for number in (1, 2, 3, 4):
        x = layers.Conv2D(
            channels,
            3,
            padding="same",
            activation="relu",
            kernel_initializer="he_normal",
            name=f"mask_conv_{number}",
        )(x)
    x = layers.Conv2DTranspose(
        channels, 2, strides=2, activation="relu", kernel_initializer="he_normal", name="mask_double"
    )(x)
    logits = layers.Conv2D(
        num_classes, 1, kernel_initializer="he_normal", dtype="float32", name="mask_logits"
    )(x)
    return keras.Model(features, logits, name="mask_head")
