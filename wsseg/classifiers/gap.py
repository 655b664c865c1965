"""Global average pooling and one bias-free linear layer: the classifier of CAM (Zhou et al. 2016)."""

from typing import Any

import keras

from wsseg.classifiers.classifier import Classifier, features_of
from wsseg.layers.masked_pooling import MaskedGlobalAveragePooling2D


@keras.saving.register_keras_serializable(package="wsseg")
class GAPClassifier(Classifier):
    """Backbone, global average pooling, one linear layer without bias.

    The class maps are the linear layer applied to each cell of the features. As in IRN there is no bias: with a bias,
    part of a class's score would belong to no position of the image.

    Args:
        backbone: A network of `wsseg.backbones`.
        num_classes: Foreground classes; the background is not one.
        output_stride: Output stride of the features: 32, 16 or 8.
        weights: Weights of the backbone: None, "imagenet", or a weights file.
        input_size: `(H, W)`, or None for any size.
        activation: Activation of the output: None for logits, "sigmoid" for several labels per image, "softmax" for
            one.

    Example:
        >>> import numpy as np
        >>> model = GAPClassifier(backbone="mobilenet_0.25", num_classes=2, input_size=(64, 64))
        >>> model(np.zeros((1, 64, 64, 3))).shape
        TensorShape([1, 2])

    References:
        Zhou et al., Learning Deep Features for Discriminative Localization, CVPR 2016.
        Ahn et al., Weakly Supervised Learning of Instance Segmentation with Inter-pixel Relations, CVPR 2019.
    """

    def __init__(
        self,
        backbone: str,
        num_classes: int,
        output_stride: int = 16,
        weights: str | None = None,
        input_size: tuple[int, int] | None = None,
        activation: str | None = None,
        name: str = "gap_classifier",
        **kwargs: Any,
    ):
        # === Layers ===
        network = features_of(backbone, output_stride, weights, input_size)
        pooling = MaskedGlobalAveragePooling2D(name="pooling")
        head = keras.layers.Dense(num_classes, use_bias=False, name="head")

        # === Functional model ===
        def logits(valid: Any) -> Any:
            return head(pooling(network.outputs[0], valid))

        super().__init__(network, logits, num_classes, output_stride, activation, name, **kwargs)

        # === Config ===
        self.pooling, self.head = pooling, head
