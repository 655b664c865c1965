"""SEAM's maps: the class maps of a SEAM classifier after the pixel correlation."""

from collections.abc import Sequence
from typing import Any

import keras
import tensorflow as tf

from wsseg.classifiers.seam import SEAMClassifier
from wsseg.errors import InputError
from wsseg.explainers.core import Explainer, Score
from wsseg.explainers.targets import ClassScores

MAPS = "class_maps"


class SEAM(Explainer):
    """Refined class maps of a SEAM classifier (Wang et al. 2020, section 3.3).

    Each class's map is divided by its maximum before it is spread, so the scales of maps say nothing of how likely a
    class is; at a cell only the strongest of all classes is spread, of the image or not. Padding is seen like any other
    part of the image. `cam` explains the same classifier without the correlation.

    Args:
        model: A classifier `seam` of `wsseg.classifiers`.
        layer: The class maps' layer, which is the only choice; or None.
        output: None: the model has one output.

    Raises:
        InputError: Another model or layer.

    References:
        Wang et al., CVPR 2020; its public code's `infer_SEAM.py` sums such maps over scales and mirrored images.
    """

    relative = False

    def __init__(self, model: keras.Model, layer: str | None = None, output: str | int | None = None):
        if not isinstance(model, SEAMClassifier):
            raise InputError(
                f"`seam` shows the refined maps of a `seam` classifier, and model `{model.name}` is another; train one "
                "(`classify.head: seam`), or use `grad_cam`, which explains any model"
            )
        if layer not in (None, MAPS):
            raise InputError(
                f"`layer`: `seam` refines the class maps `{MAPS}`; got {layer!r}; leave it out, or use `grad_cam`"
            )
        super().__init__(model, MAPS, output)
        self._refined = model.refined_maps()

    def maps(self, inputs: Sequence[Any], score: Score) -> tf.Tensor:
        """Take the wanted classes' refined maps."""
        if not isinstance(score.target, ClassScores):
            raise InputError("`seam` explains class indices only; use `grad_cam`, which explains any score")
        (image,), (classes,) = inputs, score.arrays
        classes = tf.broadcast_to(tf.maximum(classes, 0), [tf.shape(image)[0], classes.shape[1]])
        by_class = tf.transpose(self._refined(image, training=False), [0, 3, 1, 2])
        return tf.gather(by_class, classes, axis=1, batch_dims=1)
