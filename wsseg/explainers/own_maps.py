"""The base class of explainers that read the class maps which a classifier of this package computes itself."""

from collections.abc import Sequence
from typing import Any

import keras
import tensorflow as tf

from wsseg.classifiers.classifier import Classifier
from wsseg.errors import InputError
from wsseg.explainers.core import Explainer
from wsseg.explainers.score import Score
from wsseg.explainers.targets import ClassScores


class OwnMaps(Explainer):
    """Explain one kind of classifier by its own maps; a subclass defines the kind and the maps.

    Args:
        model: A classifier of that kind.
        layer: Name of the class maps' layer (the only choice), or None.
        output: Leave this None: the model has one output.

    Attributes:
        head: Name of the classifier in `wsseg.classifiers`, and of the explainer.
        kind: Class of the classifier.
        maps_layer: Name of the layer whose grid of cells the maps have.
        does: Verb phrase for error messages: what the explainer does with such a classifier.

    Raises:
        InputError: The model is of another kind, or `layer` is not `maps_layer`.
    """

    relative = False
    head: str
    kind: type[Classifier]
    maps_layer: str
    does: str

    def __init__(self, model: keras.Model, layer: str | None = None, output: str | int | None = None):
        if not isinstance(model, self.kind):
            raise InputError(
                f"`{self.head}` {self.does} `{self.head}` classifier, but model `{model.name}` is of another kind; "
                f"train one (`classify.head: {self.head}`), or use `grad_cam`, which explains any model"
            )
        if layer not in (None, self.maps_layer):
            raise InputError(
                f"`layer`: `{self.head}` explains the class maps `{self.maps_layer}`; got {layer!r}; remove it, or "
                "use `grad_cam`"
            )
        super().__init__(model, self.maps_layer, output)

    def image_and_classes(self, inputs: Sequence[Any], score: Score) -> tuple[tf.Tensor, tf.Tensor]:
        """Return the images `(B, H, W, 3)` and the wanted classes `(B, T)`, -1 for none.

        Raises:
            InputError: The target is not class indices.
        """
        if not isinstance(score.target, ClassScores):
            raise InputError(
                f"`{self.head}` explains class indices only; use `grad_cam`, which explains any score"
            )
        (image,), (classes,) = inputs, score.arrays
        return image, tf.broadcast_to(classes, [tf.shape(image)[0], classes.shape[1]])


def of_classes(maps: tf.Tensor, classes: tf.Tensor) -> tf.Tensor:
    """Return the maps of some classes.

    Args:
        maps: `(B, h, w, K)` class maps.
        classes: `(B, T)` int class indices; -1 gives the first class's map.

    Returns:
        `(B, T, h, w)` float32.
    """
    by_class = tf.transpose(tf.cast(maps, tf.float32), [0, 3, 1, 2])
    return tf.gather(by_class, tf.maximum(classes, 0), axis=1, batch_dims=1)
