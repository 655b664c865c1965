"""ACoL's maps: what either branch of an ACoL classifier sees, fused by the maximum."""

from collections.abc import Sequence
from typing import Any, Literal

import keras
import tensorflow as tf

from wsseg.classifiers.acol import ACoLClassifier
from wsseg.errors import InputError
from wsseg.explainers.core import Score
from wsseg.explainers.own_maps import OwnMaps, of_classes

ERASE = ("predicted", "explained")


class ACoL(OwnMaps):
    r"""Fused class maps of an ACoL classifier, $M_c = \max(\bar A_c, \bar B_c)$ (Zhang et al. 2018, section 3.2†).

    $A_c$ and $B_c$ are the branches' channels of class $c$, and $\bar M = (M - \min M) / (\max M - \min M)$ over
    the whole image, as in the authors' code; a constant map gives 0. So every map reaches 1, also that of a class
    that the image does not show, and the least likely cell has 0.

    Branch B sees the features from which branch A's regions of some classes are erased: of those that branch A
    predicts, so that a class's map does not depend on what else is explained; or, as in training, of those that are
    explained: then give all classes of an image at once.

    Args:
        model: A classifier `acol` of `wsseg.classifiers`.
        layer: The class maps' layer, which is the only choice; or None.
        output: None: the model has one output.
        erase: Whose regions are erased: predicted, or explained.

    Raises:
        InputError: Another model, layer or choice.

    References:
        Zhang et al., Adversarial Complementary Learning for Weakly Supervised Object Localization, CVPR 2018.
    """

    head, kind, maps_layer = (
        "acol",
        ACoLClassifier,
        "branch_a_maps",
    )  # branch B's cells look at the same places
    does = "fuses the two branches of an"

    def __init__(
        self,
        model: keras.Model,
        layer: str | None = None,
        output: str | int | None = None,
        erase: Literal["predicted", "explained"] = "predicted",
    ):
        if erase not in ERASE:
            raise InputError(f"`erase` must be predicted or explained; got {erase!r}")
        super().__init__(model, layer, output)
        self.erase, self.num_classes = erase, model.num_classes
        self._branches = model.branch_maps(given_classes=erase == "explained")

    def maps(self, inputs: Sequence[Any], score: Score) -> tf.Tensor:
        """Take the wanted classes' maps of both branches, scaled to [0, 1]; return the larger values."""
        image, classes = self.image_and_classes(inputs, score)
        given: Any = image
        if self.erase == "explained":
            given = [image, tf.reduce_max(tf.one_hot(classes, self.num_classes), axis=1)]  # -1 marks nothing
        return tf.maximum(
            *(scaled(of_classes(maps, classes)) for maps in self._branches(given, training=False))
        )


def scaled(maps: tf.Tensor) -> tf.Tensor:
    """Shift and scale maps `(B, T, h, w)` each to [0, 1]; a constant one is 0."""
    lowest = tf.reduce_min(maps, axis=(2, 3), keepdims=True)
    return tf.math.divide_no_nan(maps - lowest, tf.reduce_max(maps, axis=(2, 3), keepdims=True) - lowest)
