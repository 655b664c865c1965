"""SEAM's maps: the class maps of a SEAM classifier after the pixel correlation."""

from collections.abc import Sequence
from typing import Any

import keras
import tensorflow as tf

from wsseg.classifiers.seam import SEAMClassifier
from wsseg.explainers.core import Score
from wsseg.explainers.own_maps import OwnMaps, of_classes


class SEAM(OwnMaps):
    """Refined class maps of a SEAM classifier (Wang et al. 2020, section 3.3).

    Each class's map is divided by its maximum before it is spread, so the scales of maps say nothing of how likely a
    class is; at a cell only the strongest of all classes is spread, of the image or not. Padding is seen like any other
    part of the image. Spreading leaves a floor under a map, which `localize.scaling: range` takes off. `cam` explains
    the same classifier without the correlation.

    Args:
        model: A classifier `seam` of `wsseg.classifiers`.
        layer: The class maps' layer, which is the only choice; or None.
        output: None: the model has one output.

    Raises:
        InputError: Another model or layer.

    References:
        Wang et al., CVPR 2020; its public code's `infer_SEAM.py` sums such maps over scales and mirrored images.
    """

    head, kind, maps_layer, does = "seam", SEAMClassifier, "class_maps", "shows the refined maps of a"

    def __init__(self, model: keras.Model, layer: str | None = None, output: str | int | None = None):
        super().__init__(model, layer, output)
        self._refined = model.refined_maps()

    def maps(self, inputs: Sequence[Any], score: Score) -> tf.Tensor:
        """Take the wanted classes' refined maps."""
        image, classes = self.image_and_classes(inputs, score)
        return of_classes(self._refined(image, training=False), classes)
