"""The base class of all classifiers: backbone, output activation, padding, training from labels, saving."""

from collections.abc import Callable, Sequence
from typing import Any

import keras

from wsseg import backbones
from wsseg.class_names import check_class_names
from wsseg.errors import InputError, nearest

ACTIVATIONS = ("sigmoid", "softmax")


def features_of(
    backbone: str, output_stride: int, weights: str | None, input_size: tuple[int, int] | None
) -> keras.Model:
    """Build a backbone whose only output is its last level: the features from which class maps are computed.

    Args:
        backbone: A network of `wsseg.backbones`.
        output_stride: Output stride of the features: 32, 16 or 8.
        weights: Weights of the backbone: None, "imagenet", or a weights file.
        input_size: `(H, W)`, or None for any size.

    Returns:
        A functional model `(B, H, W, 3)` RGB in [0, 255] -> `(B, h, w, C)`, with the backbone's name and `full_name`.
    """
    network = backbones.create(backbone, output_stride, weights=weights, input_size=input_size)
    features = keras.Model(network.inputs[0], network.output["level_5"], name=network.name)
    features.full_name = backbones.full_name(network)
    return features


class Classifier(keras.Model):
    """A functional model from images to class scores; a subclass adds the head.

    Args:
        network: A network from `features_of`.
        logits: Function of the head: a validity mask `(B, H, W)`, or None for images without padding -> `(B, K)`
            logits. It is called once per graph and must use the same layers each time.
        num_classes: Number of foreground classes K.
        output_stride: Output stride of `network`.
        activation: Activation of the output: None for logits or "sigmoid" for several labels per image, "softmax" for
            one.
        name: Name of the model.
        class_names: Names of the K classes; None where they are not known.

    Attributes:
        backbone: The backbone's full name.
        features: The symbolic features `(B, h, w, C)`.
        explainers: Explainers of `wsseg.explainers` that read class maps from the head, the published one first.
        rate: Atrous rate of the head's 3x3 convolutions; None if it has none.

    Raises:
        InputError: The activation is unknown.
    """

    explainers: tuple[str, ...] = ("cam",)
    rate: int | None = None

    def __init__(
        self,
        network: keras.Model,
        logits: Callable[[Any], Any],
        num_classes: int,
        output_stride: int,
        activation: str | None,
        name: str,
        class_names: Sequence[str] | None = None,
        **kwargs: Any,
    ):
        if activation not in (None, *ACTIVATIONS):
            raise InputError(
                f"unknown `activation` {activation!r} of a classifier; {nearest(str(activation), ACTIVATIONS)}; "
                "or None for logits"
            )
        # === Functional model ===
        # Logits and probabilities stay float32 under mixed precision, as Keras recommends for outputs.
        activate = keras.layers.Activation(activation or "linear", dtype="float32", name="output")
        image = network.inputs[0]
        super().__init__(inputs=image, outputs=activate(logits(None)), name=name, **kwargs)

        # === Config ===
        size_hw = tuple(image.shape[1:3])
        self.backbone = backbones.full_name(network)  # for a MobileNet this includes its width
        self.num_classes = num_classes
        self.class_names = check_class_names(class_names, num_classes)
        self.output_stride = output_stride
        self.input_size = None if None in size_hw else size_hw
        self.activation = activation
        self.features = network.outputs[0]
        self.activate = activate
        self._logits = logits
        self._backbone_variables = frozenset(id(variable) for variable in network.variables)

    @property
    def single_label(self) -> bool:
        """Whether an image has exactly one label (softmax) or several."""
        return self.activation == "softmax"

    @property
    def head_variables(self) -> list[keras.Variable]:
        """The trainable variables outside the backbone."""
        return [v for v in self.trainable_variables if id(v) not in self._backbone_variables]

    def with_validity(self) -> keras.Model:
        """Return the same network, with shared weights, that also takes a validity mask and pools only valid cells.

        Returns:
            A functional model: `[(B, H, W, 3) images, (B, H, W) valid in {0, 1}]` -> `(B, num_classes)`.
        """
        valid = self._valid()
        outputs = self.activate(self._logits(valid))
        return keras.Model([self.inputs[0], valid], outputs, name=f"{self.name}_with_validity")

    def to_train(self) -> keras.Model:
        """Return the network to train, with shared weights; it gives logits for any activation.

        Compile it with `training_loss`. `example` turns images and labels into its inputs and targets.

        Returns:
            A functional model: `[(B, H, W, 3) images, (B, H, W) valid in {0, 1}]` -> `(B, num_classes)` float32.
        """
        valid = self._valid()
        logits = keras.layers.Activation("linear", dtype="float32", name="logits")
        return keras.Model([self.inputs[0], valid], logits(self._logits(valid)), name=f"{self.name}_to_train")

    def training_loss(self) -> keras.losses.Loss:
        """Return the loss of the logits: softmax cross-entropy for single labels, else mean sigmoid cross-entropy."""
        kind = keras.losses.CategoricalCrossentropy if self.single_label else keras.losses.BinaryCrossentropy
        return kind(from_logits=True)

    def example(self, inputs: tuple[Any, Any], labels: Any) -> tuple[Any, Any]:
        """Return inputs and targets of `to_train`.

        Args:
            inputs: Images `(B, H, W, 3)` and validity masks `(B, H, W)`.
            labels: `(B, K)` 0 or 1.
        """
        return inputs, labels

    def at_output_stride(self, output_stride: int) -> "Classifier":
        """Return a copy with the same weights and another output stride of the features.

        The atrous rate of the head's 3x3 convolutions is changed so that they cover the same part of the image. So a
        head computes the same at a smaller stride than in training.

        Raises:
            InputError: The head would need a rate that is not a whole number.
        """
        config = self.get_config() | {"output_stride": output_stride}
        if self.rate is not None:
            rate = self.rate * self.output_stride / output_stride
            if rate != int(rate):
                raise InputError(
                    f"`output_stride` {output_stride}: the 3x3 convolutions of `{self.name}` were trained at output "
                    f"stride {self.output_stride * self.rate}; use this stride or a smaller one"
                )
            config["rate"] = int(rate)
        copy = type(self).from_config(config)
        copy.set_weights(self.get_weights())
        return copy

    def get_config(self) -> dict[str, Any]:
        """Return the constructor's arguments that all classifiers have; the weights are saved separately."""
        return {
            "backbone": self.backbone,
            "num_classes": self.num_classes,
            "output_stride": self.output_stride,
            "input_size": self.input_size,
            "activation": self.activation,
            "name": self.name,
            "class_names": self.class_names and list(self.class_names),
        }

    @classmethod
    def from_config(cls, config: dict[str, Any], custom_objects: Any = None) -> "Classifier":
        """Rebuild the classifier from the result of `get_config`."""
        return cls(**config)

    def _valid(self) -> Any:
        return keras.Input(self.inputs[0].shape[1:3], name="valid", dtype="float32")
