"""Adversarial complementary learning: a second branch gets the features without the regions of the first branch."""

from typing import Any

import keras
from keras import layers, ops

from wsseg.classifiers.classifier import Classifier, features_of
from wsseg.classifiers.erasing import AdversarialErasing
from wsseg.classifiers.options import require_share
from wsseg.errors import require_whole
from wsseg.layers.grid_rules import same
from wsseg.layers.masked_pooling import MaskedGlobalAveragePooling2D


@keras.saving.register_keras_serializable(package="wsseg")
class ACoLClassifier(Classifier):
    r"""Backbone and two parallel branches; the second gets features from which the first's regions are erased.

    Each branch has two 3x3 convolutions with ReLU and a 1x1 convolution with one channel per class, whose mean is the
    class's logit. Branch A's maps of the image's classes are scaled to [0, 1]. The shared features are erased where
    such a map reaches `erase_threshold` (`AdversarialErasing`), and branch B has to find the classes in the remaining
    features. The loss is the sum of both branches' losses (`to_train`, `training_loss`); no gradient passes through the
    erased region.

    During training, the regions of the image's labels are erased; the regions of several labels are united. Without
    labels, the regions of branch A's predictions are erased: of the most probable class under "softmax", otherwise of
    this class and all classes with a logit above 0. The model's output is branch A's, as in the authors' code.
    `branch_maps` gives the maps of both branches, and the explainer `acol` fuses them by their maximum.

    Pooling and scaling ignore the padding. Choe et al. find ACoL's maps about 1 point of MaxBoxAccV2 below CAM's on
    average, so compare both before you choose.

    Args:
        backbone: A network of `wsseg.backbones`.
        num_classes: Foreground classes; the background is not one.
        output_stride: Output stride of the features: 32, 16 or 8.
        weights: Weights of the backbone: None, "imagenet", or a weights file.
        input_size: `(H, W)`, or None for any size.
        activation: Activation of the output: None for logits, "sigmoid" for several labels per image, "softmax" for
            one.
        branch_channels: Channels of the branches' 3x3 convolutions; 1024 as published.
        erase_threshold: Threshold of the scaled map, in (0, 1); published between 0.5 and 0.9, 0.6 on ILSVRC †
            (quoted from memory).
        rate: Atrous rate of the 3x3 convolutions; `at_output_stride` sets it.

    Attributes:
        erasing: The layer that erases features.

    Raises:
        InputError: An option is not valid.

    Example:
        >>> import numpy as np
        >>> model = ACoLClassifier("mobilenet_0.25", num_classes=2, branch_channels=8, input_size=(64, 64))
        >>> first, second = model.branch_maps()(np.zeros((1, 64, 64, 3)))
        >>> first.shape, second.shape
        (TensorShape([1, 4, 4, 2]), TensorShape([1, 4, 4, 2]))

    References:
        Zhang et al., Adversarial Complementary Learning for Weakly Supervised Object Localization, CVPR 2018,
        section 3.2 (network, erasing, fusion) and the authors' public code (1024 channels, branch A's output).
        Choe et al., Evaluating Weakly Supervised Object Localization Methods Right, CVPR 2020.
    """

    explainers = ("acol",)

    def __init__(
        self,
        backbone: str,
        num_classes: int,
        output_stride: int = 16,
        weights: str | None = None,
        input_size: tuple[int, int] | None = None,
        activation: str | None = None,
        branch_channels: int = 1024,
        erase_threshold: float = 0.6,
        rate: int = 1,
        name: str = "acol_classifier",
        **kwargs: Any,
    ):
        require_whole("branch_channels", branch_channels, hint="try 1024")
        require_whole("rate", rate, hint="try 1")
        require_share("erase_threshold", erase_threshold, 0.6)

        # === Layers ===
        network = features_of(backbone, output_stride, weights, input_size)
        pooling = MaskedGlobalAveragePooling2D(name="pooling")
        first = branch("branch_a", branch_channels, num_classes, rate)
        second = branch("branch_b", branch_channels, num_classes, rate)
        erasing = AdversarialErasing(erase_threshold, name="erasing")

        # === Functional model ===
        maps = apply(first, network.outputs[0])

        def logits(valid: Any) -> Any:
            return pooling(maps, valid)

        super().__init__(network, logits, num_classes, output_stride, activation, name, **kwargs)

        # === Config ===
        self.branch_channels, self.erase_threshold, self.rate = branch_channels, erase_threshold, rate
        self.pooling, self.erasing = pooling, erasing
        self.class_maps = maps
        # The model's output does not use branch B; as an attribute it is still saved and counted.
        self.branch_b = second
        features = keras.Input(network.outputs[0].shape[1:])  # builds it
        apply(second, features)

    def to_train(self) -> keras.Model:
        """Return the network to train, with shared weights; it gives the logits of both branches.

        Returns:
            A functional model: `[(B, H, W, 3) images, (B, H, W) valid, (B, K) labels in {0, 1}]` -> `[(B, K), (B, K)]`
            float32 logits of branch A and of branch B. If it is compiled with `training_loss`, its loss is the sum of
            both branches' losses.
        """
        valid = self._valid()
        labels = keras.Input((self.num_classes,), name="labels", dtype="float32")
        maps = self._second_maps(labels, valid)
        both = [
            layers.Activation("linear", dtype="float32", name=name)(self.pooling(one, valid))
            for name, one in (("branch_a", self.class_maps), ("branch_b", maps))
        ]
        return keras.Model([self.inputs[0], valid, labels], both, name=f"{self.name}_to_train")

    def example(self, inputs: tuple[Any, Any], labels: Any) -> tuple[Any, Any]:
        """Return inputs and targets of `to_train`: the labels are an input too, and the target of each branch."""
        return (*inputs, labels), (labels, labels)

    def branch_maps(self, given_classes: bool = False) -> keras.Model:
        """Return the network that gives both branches' class maps (shared weights).

        Args:
            given_classes: Whether the classes whose regions are erased are an input, as in training; otherwise they
                are the predicted classes.

        Returns:
            A functional model: `(B, H, W, 3)` images, or `[images, (B, K) classes in {0, 1}]` ->
            `[(B, h, w, K), (B, h, w, K)]`, unscaled maps of branch A and of branch B.
        """
        image = self.inputs[0]
        if given_classes:
            classes = keras.Input((self.num_classes,), name="classes", dtype="float32")
            inputs: Any = [image, classes]
        else:
            classes = PredictedClasses(self.single_label, name="predicted")(self._logits(None))
            inputs = image
        maps = [self.class_maps, self._second_maps(classes, None)]
        return keras.Model(inputs, maps, name=f"{self.name}_branch_maps")

    def get_config(self) -> dict[str, Any]:
        """Return the constructor's arguments; the weights are saved separately."""
        own = {name: getattr(self, name) for name in ("branch_channels", "erase_threshold", "rate")}
        return super().get_config() | own

    def _second_maps(self, classes: Any, valid: Any) -> Any:
        return apply(self.branch_b, self.erasing(self.features, self.class_maps, classes, valid))


@keras.saving.register_keras_serializable(package="wsseg")
class PredictedClasses(keras.layers.Layer):
    """Mark the class with the highest logit and, if an image can have several classes, each with a positive logit.

    A positive logit is a probability above 0.5. The class with the highest logit is always marked, since every image is
    assumed to show some class.

    Args:
        single_label: Whether an image has exactly one class.

    Example:
        >>> import numpy as np
        >>> logits = np.array([[2.0, -1.0, 0.5], [-3.0, -1.0, -2.0]])
        >>> PredictedClasses()(logits).numpy().tolist()
        [[1.0, 0.0, 1.0], [0.0, 1.0, 0.0]]
    """

    output_grid = same

    def __init__(self, single_label: bool = False, **kwargs: Any):
        super().__init__(**kwargs)
        self.single_label = single_label

    def call(self, logits):
        """Turn `(B, K)` logits into `(B, K)` 0 or 1, with the dtype of the logits."""
        predicted = ops.one_hot(ops.argmax(logits, axis=-1), ops.shape(logits)[-1], dtype=logits.dtype)
        if self.single_label:
            return predicted
        return ops.maximum(predicted, ops.cast(logits > 0, logits.dtype))

    def compute_output_shape(self, logits_shape):
        """Return the logits' shape."""
        return logits_shape

    def get_config(self) -> dict[str, Any]:
        """Return the constructor's arguments."""
        return super().get_config() | {"single_label": self.single_label}


def branch(name: str, channels: int, num_classes: int, rate: int) -> list[layers.Layer]:
    """Return the layers of one branch: two 3x3 convolutions with ReLU, and the 1x1 convolution of the class maps."""
    wide = [
        layers.Conv2D(
            channels,
            3,
            padding="same",
            dilation_rate=rate,
            activation="relu",
            kernel_initializer="he_normal",
            name=f"{name}_conv_{index}",
        )
        for index in (1, 2)
    ]
    return [*wide, layers.Conv2D(num_classes, 1, name=f"{name}_maps")]


def apply(chain: list[layers.Layer], tensor: Any) -> Any:
    """Apply a chain of layers to a tensor."""
    for layer in chain:
        tensor = layer(tensor)
    return tensor
