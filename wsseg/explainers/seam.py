"""SEAM's maps: the class maps of a SEAM classifier after its pixel correlation module."""

from collections.abc import Sequence
from typing import Any

import keras
import tensorflow as tf

from wsseg.classifiers.seam import SEAMClassifier
from wsseg.explainers.own_maps import OwnMaps, of_classes
from wsseg.explainers.score import Score


class SEAM(OwnMaps):
    """Refined class maps of a SEAM classifier (Wang et al. 2020, section 3.3).

    Each class's map is divided by its maximum before it is spread, so a map's scale does not show how likely the class
    is. At each cell only the strongest class is spread, even if it is not in the image. Padding is treated like any
    other part of the image. Spreading raises the minimum of a map above 0; `localize.scaling: range` removes that
    offset. `cam` explains the same classifier without the correlation.

    Args:
        model: A classifier `seam` of `wsseg.classifiers`.
        layer: Name of the class maps' layer (the only choice), or None.
        output: Leave this None: the model has one output.

    Raises:
        InputError: The model is not a SEAM classifier, or `layer` is invalid.

    References:
        Wang et al., CVPR 2020; its public code's `infer_SEAM.py` sums such maps over scales and mirrored images.
    """

    head, kind, maps_layer, does = "seam", SEAMClassifier, "class_maps", "shows the refined maps of a"

    def __init__(self, model: keras.Model, layer: str | None = None, output: str | int | None = None):
        super().__init__(model, layer, output)
        self._refined = model.refined_maps()

    def maps(self, inputs: Sequence[Any], score: Score) -> tf.Tensor:
        """Return the refined maps of the wanted classes."""
        image, classes = self.image_and_classes(inputs, score)
        return of_classes(self._refined(image, training=False), classes)
