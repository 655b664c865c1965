"""The classifier of Network in Network: averaged class maps from 1x1 convolutions, no dense layer (Lin et al. 2014)."""

from typing import Any

import keras
from keras import layers

from wsseg.classifiers.classifier import Classifier, features_of
from wsseg.classifiers.options import require_share
from wsseg.errors import InputError, require_whole
from wsseg.layers.masked_pooling import MaskedGlobalAveragePooling2D


@keras.saving.register_keras_serializable(package="wsseg")
class NINClassifier(Classifier):
    r"""Backbone, one mlpconv block whose last layer has one channel per class, global average pooling.

    An mlpconv block is a small perceptron that slides over the map: a 3x3 convolution and two 1x1 convolutions
    ("cascaded cross channel parametric pooling"), each with a bias and followed by a ReLU (Lin et al., section 3.1 and
    equation 2 †; †: quoted from memory). This is the last block of the authors' network for ImageNet: dropout of 0.5 on
    the block's input, 3x3 with 1024 channels, 1x1 with 1024 channels, 1x1 with one channel per class. The backbone
    replaces the earlier blocks. The mean of a class's channel is its logit, so the channel itself is the class map: CAM
    with identity weights.

    The published block also has a ReLU after the class channels. Here this needs `rectify`, since a mean of values from
    0 up can't express that a class is absent; so a sigmoid classifier could learn nothing from absent classes.

    Args:
        backbone: A network of `wsseg.backbones`.
        num_classes: Foreground classes; the background is not one.
        output_stride: Output stride of the features: 32, 16 or 8.
        weights: Weights of the backbone: None, "imagenet", or a weights file.
        input_size: `(H, W)`, or None for any size.
        activation: Activation of the output: None for logits, "sigmoid" for several labels per image, "softmax" for
            one.
        channels: Channels of the block's first two convolutions.
        dropout: Share of the block's inputs that is dropped during training.
        rectify: Whether the class channels have a ReLU, as published; needs "softmax".
        rate: Atrous rate of the 3x3 convolution; `at_output_stride` sets it.

    Raises:
        InputError: An option is not valid.

    Example:
        >>> import numpy as np
        >>> model = NINClassifier("mobilenet_0.25", num_classes=2, channels=16, input_size=(64, 64))
        >>> model(np.zeros((1, 64, 64, 3))).shape
        TensorShape([1, 2])

    References:
        Lin, Chen, Yan, Network In Network, ICLR 2014, sections 3.1 and 3.2; the widths are those of the
        authors' public ImageNet network (layers conv4-1024, cccp7-1024, cccp8-1024).
    """

    def __init__(
        self,
        backbone: str,
        num_classes: int,
        output_stride: int = 16,
        weights: str | None = None,
        input_size: tuple[int, int] | None = None,
        activation: str | None = None,
        channels: int = 1024,
        dropout: float = 0.5,
        rectify: bool = False,
        rate: int = 1,
        name: str = "nin_classifier",
        **kwargs: Any,
    ):
        require_whole("channels", channels, hint="try 1024")
        require_whole("rate", rate, hint="try 1")
        require_share("dropout", dropout, 0.5, zero=True)
        if rectify and activation != "softmax":
            raise InputError(
                f"`rectify` needs `activation: softmax`; got {activation!r}; no class could be scored as absent"
            )

        # === Layers ===
        network = features_of(backbone, output_stride, weights, input_size)
        drop = layers.Dropout(dropout, name="dropout")
        patch = layers.Conv2D(
            channels,
            3,
            padding="same",
            dilation_rate=rate,
            activation="relu",
            kernel_initializer="he_normal",
            name="mlpconv_1",
        )
        hidden = layers.Conv2D(
            channels, 1, activation="relu", kernel_initializer="he_normal", name="mlpconv_2"
        )
        # Glorot's initial weights (the default), not He's: these channels are scores.
        classes = layers.Conv2D(num_classes, 1, activation="relu" if rectify else None, name="class_maps")
        pooling = MaskedGlobalAveragePooling2D(name="pooling")

        # === Functional model ===
        class_maps = classes(hidden(patch(drop(network.outputs[0]))))

        def logits(valid: Any) -> Any:
            return pooling(class_maps, valid)

        super().__init__(network, logits, num_classes, output_stride, activation, name, **kwargs)

        # === Config ===
        self.channels, self.dropout, self.rectify, self.rate = channels, dropout, rectify, rate
        self.class_maps = class_maps

    def get_config(self) -> dict[str, Any]:
        """Return the constructor's arguments; the weights are saved separately."""
        own = {name: getattr(self, name) for name in ("channels", "dropout", "rectify", "rate")}
        return super().get_config() | own
