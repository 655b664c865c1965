"""Global average pooling and one bias-free linear layer: the classifier of CAM (Zhou et al. 2016)."""

from typing import Any

import keras

from wsseg import backbones
from wsseg.layers.masked_pooling import MaskedGlobalAveragePooling2D


@keras.saving.register_keras_serializable(package="wsseg")
class GAPClassifier(keras.Model):
    """Backbone, global average pooling, one linear layer without bias.

    The class maps are the linear layer applied to each cell of the features. There is no bias, as in IRN:
    a bias would let the classifier explain a class by no place of the image.

    Args:
        backbone: A network of `wsseg.backbones`.
        num_classes: Foreground classes; the background is not one.
        output_stride: 32, 16 or 8, of the features.
        weights: Of the backbone: None, "imagenet", or a weights file.
        input_size: `(H, W)`, or None for any size.
        activation: Of the output: None for logits, "sigmoid" for several labels an image, "softmax" for one.

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
        network = backbones.create(backbone, output_stride, weights=weights, input_size=input_size)
        features = network.outputs[-1] if isinstance(network.output, list) else network.output["level_5"]
        pooling = MaskedGlobalAveragePooling2D(name="pooling")
        head = keras.layers.Dense(num_classes, use_bias=False, name="head")
        # Logits and probabilities stay float32 under mixed precision, as Keras advises for outputs.
        output = keras.layers.Activation(activation or "linear", dtype="float32", name="output")

        # === Functional model ===
        outputs = output(head(pooling(features)))
        super().__init__(inputs=network.inputs[0], outputs=outputs, name=name, **kwargs)

        # === Config ===
        self.backbone = network.name  # the full name: of a MobileNet with its width
        self.num_classes = num_classes
        self.output_stride = output_stride
        self.input_size = None if input_size is None else tuple(input_size)
        self.activation = activation
        self.features = features
        self.pooling, self.head, self.activate = pooling, head, output

    def with_validity(self) -> keras.Model:
        """Return the same network (shared weights) that also takes a validity mask and pools by it.

        Returns:
            A functional model: `[(B, H, W, 3) images, (B, H, W) valid in {0, 1}]` -> `(B, num_classes)`.
        """
        valid = keras.Input(self.inputs[0].shape[1:3], name="valid", dtype="float32")
        outputs = self.activate(self.head(self.pooling(self.features, valid)))
        return keras.Model([self.inputs[0], valid], outputs, name=f"{self.name}_with_validity")

    def at_output_stride(self, output_stride: int) -> "GAPClassifier":
        """Return a copy with the same weights whose features have another output stride."""
        copy = type(self).from_config(self.get_config() | {"output_stride": output_stride})
        copy.set_weights(self.get_weights())
        return copy

    def get_config(self) -> dict[str, Any]:
        """Return the constructor's arguments; the weights are saved apart."""
        return {
            "backbone": self.backbone,
            "num_classes": self.num_classes,
            "output_stride": self.output_stride,
            "input_size": self.input_size,
            "activation": self.activation,
            "name": self.name,
        }

    @classmethod
    def from_config(cls, config: dict[str, Any], custom_objects: Any = None) -> "GAPClassifier":
        """Rebuild from `get_config`."""
        return cls(**config)
