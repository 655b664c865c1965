"""What the explainers of this package's own classifiers share: those read class maps off a head made for it."""

from collections.abc import Sequence
from typing import Any

import keras
import tensorflow as tf

from wsseg.classifiers.classifier import Classifier
from wsseg.errors import InputError
from wsseg.explainers.core import Explainer, Score
from wsseg.explainers.targets import ClassScores


class OwnMaps(Explainer):
    """Explain a classifier of one kind by its own maps; a subclass says which, and how.

    Args:
        model: A classifier of that kind.
        layer: The class maps' layer, which is the only choice; or None.
        output: None: the model has one output.

    Attributes:
        head: The classifier's name in `wsseg.classifiers`, and the explainer's.
        kind: Its class.
        maps_layer: Name of the layer whose cells the maps have.
        does: What the explainer does with such a classifier, for messages.

    Raises:
        InputError: Another model or layer.
    """

    relative = False
    head: str
    kind: type[Classifier]
    maps_layer: str
    does: str

    def __init__(self, model: keras.Model, layer: str | None = None, output: str | int | None = None):
        if not isinstance(model, self.kind):
            raise InputError(
                f"`{self.head}` {self.does} `{self.head}` classifier, and model `{model.name}` is another; train one "
                f"(`classify.head: {self.head}`), or use `grad_cam`, which explains any model"
            )
        if layer not in (None, self.maps_layer):
            raise InputError(
                f"`layer`: `{self.head}` explains the class maps `{self.maps_layer}`; got {layer!r}; leave it out, or "
                "use `grad_cam`"
            )
        super().__init__(model, self.maps_layer, output)

    def image_and_classes(self, inputs: Sequence[Any], score: Score) -> tuple[tf.Tensor, tf.Tensor]:
        """Return the images `(B, H, W, 3)` and the wanted classes `(B, T)`, -1 for none.

        Raises:
            InputError: Something else than classes is to be explained.
        """
        if not isinstance(score.target, ClassScores):
            raise InputError(
                f"`{self.head}` explains class indices only; use `grad_cam`, which explains any score"
            )
        (image,), (classes,) = inputs, score.arrays
        return image, tf.broadcast_to(classes, [tf.shape(image)[0], classes.shape[1]])


def of_classes(maps: tf.Tensor, classes: tf.Tensor) -> tf.Tensor:
    """Return some classes' maps.

    Args:
        maps: `(B, h, w, K)`.
        classes: `(B, T)` int; for -1 the first class's.

    Returns:
        `(B, T, h, w)` float32.
    """
    by_class = tf.transpose(tf.cast(maps, tf.float32), [0, 3, 1, 2])
    return tf.gather(by_class, tf.maximum(classes, 0), axis=1, batch_dims=1)
