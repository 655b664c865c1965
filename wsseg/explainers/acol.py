"""ACoL's maps: the class maps of both branches of an ACoL classifier, fused by the maximum."""

from collections.abc import Sequence
from typing import Any, Literal

import keras
import tensorflow as tf

from wsseg.classifiers.acol import ACoLClassifier
from wsseg.errors import InputError
from wsseg.explainers.own_maps import OwnMaps, of_classes
from wsseg.explainers.score import Score

ERASE = ("predicted", "explained")


class ACoL(OwnMaps):
    r"""Fused class maps of an ACoL classifier, $M_c = \max(\bar A_c, \bar B_c)$ (Zhang et al. 2018, section 3.2†).

    $A_c$ and $B_c$ are the branches' channels of class $c$, and $\bar M = (M - \min M) / (\max M - \min M)$ over
    the whole image, as in the authors' code; a constant map gives 0. Every other map spans 0 to 1, even the map of a
    class that the image does not show.

    Branch B sees the features after branch A's regions of some classes are erased. With `erase="predicted"` these are
    the classes that branch A predicts, so a class's map does not depend on the other explained classes. With
    `erase="explained"` these are the explained classes, as in training; then give all classes of an image at once.

    Args:
        model: A classifier `acol` of `wsseg.classifiers`.
        layer: Name of the class maps' layer (the only choice), or None.
        output: Leave this None: the model has one output.
        erase: Classes whose regions are erased: "predicted" or "explained".

    Raises:
        InputError: The model is not an ACoL classifier, or `layer` or `erase` is invalid.

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
        """Scale the wanted classes' maps of both branches to [0, 1]; return the larger values."""
        image, classes = self.image_and_classes(inputs, score)
        given: Any = image
        if self.erase == "explained":
            given = [image, tf.reduce_max(tf.one_hot(classes, self.num_classes), axis=1)]  # -1 marks nothing
        return tf.maximum(
            *(scaled(of_classes(maps, classes)) for maps in self._branches(given, training=False))
        )


def scaled(maps: tf.Tensor) -> tf.Tensor:
    """Shift and scale each map of `(B, T, h, w)` to [0, 1]; a constant map becomes 0."""
    lowest = tf.reduce_min(maps, axis=(2, 3), keepdims=True)
    return tf.math.divide_no_nan(maps - lowest, tf.reduce_max(maps, axis=(2, 3), keepdims=True) - lowest)
