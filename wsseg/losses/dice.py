"""The Dice loss for several classes."""

from typing import Any

import keras
from keras import ops

from wsseg.artifacts import IGNORE
from wsseg.errors import require
from wsseg.losses.pixel_loss import known_pixels, log_probability, mean_where

CLASSES = ("present", "all")


@keras.saving.register_keras_serializable(package="wsseg")
class DiceLoss(keras.losses.Loss):
    """Mean over the classes of 1 - 2 sum(p g) / (sum p + sum g); the sums run over the batch's known pixels.

    p is the softmax probability and g the one-hot mask. This is Keras' own `dice`, prepared for segmentation: ignored
    pixels are removed, and `axis=(0, 1, 2)` keeps the classes separate. Without that axis Keras sums over the classes,
    and the background dominates the result. The sums are of p and g, not of their squares as in V-Net.

    Args:
        classes: Average over the classes "present" in the batch's masks, or over "all". A class that is absent costs 1
            and has no gradient.
        cross_entropy: Weight of the mean cross-entropy of the known pixels, which is added; nnU-Net trains with the sum
            of both (weight 1). The Dice loss alone has small gradients where a small class is missed altogether.
        ignore: Mask value of pixels that don't count.
        name: Name of the loss.

    Raises:
        InputError: `classes` has another value, or the weight is negative.

    References:
        Milletari et al., V-Net, 3DV 2016, section 3 † (there with squares in the denominator, two classes).
        Isensee et al., nnU-Net, Nature Methods 2021 † (the sum with the cross-entropy).
        († quoted from memory.)

    Example:
        >>> import numpy as np
        >>> masks = np.array([[[0, 1, 255]]])
        >>> round(float(DiceLoss()(masks, np.zeros((1, 1, 3, 2)))), 4)  # p = 1/2: 1 - 2 (1/2) / (1 + 1)
        0.5
    """

    def __init__(
        self,
        classes: str = "present",
        cross_entropy: float = 0.0,
        ignore: int = IGNORE,
        name: str = "dice",
    ):
        super().__init__(name=name, reduction="sum")
        require("classes", classes, lambda x: x in CLASSES, "present or all")
        require("cross_entropy", cross_entropy, lambda x: 0 <= x < 1e3, "0 or more; try 1")
        self.classes, self.cross_entropy, self.ignore = classes, float(cross_entropy), ignore

    def call(self, y_true, y_pred):
        """Compute the loss.

        Args:
            y_true: `(B, H, W)` int: 0 = background, 1..K-1, or the ignore value.
            y_pred: `(B, H, W, K)` float logits.

        Returns:
            Scalar float32; in [0, 1] without the cross-entropy.
        """
        labels, logits, known = known_pixels(y_true, y_pred, self.ignore)
        counted = ops.expand_dims(ops.cast(known, "float32"), -1)
        truth = ops.one_hot(labels, logits.shape[-1]) * counted
        cost = keras.losses.dice(truth, ops.softmax(logits) * counted, axis=(0, 1, 2))
        dice = mean_over_classes(cost, ops.sum(truth, axis=(0, 1, 2)), ops.sum(counted), self.classes)
        if not self.cross_entropy:
            return dice
        return dice - self.cross_entropy * mean_where(log_probability(labels, logits), known)

    def get_config(self) -> dict[str, Any]:
        """Return the constructor's arguments."""
        return {
            "classes": self.classes,
            "cross_entropy": self.cross_entropy,
            "ignore": self.ignore,
            "name": self.name,
        }


def mean_over_classes(costs, pixels, known, classes: str):
    """Average the costs of the classes.

    Args:
        costs: `(..., K)` cost of each class.
        pixels: `(..., K)` number of pixels of each class in the masks.
        known: `(...)` number of known pixels.
        classes: "present" for the classes with pixels, or "all".

    Returns:
        `(...)` float32; 0 where no pixel is known.
    """
    counts = ops.greater(pixels, 0)
    if classes == "all":
        counts = ops.broadcast_to(ops.expand_dims(ops.greater(known, 0), -1), ops.shape(costs))
    weights = ops.cast(counts, "float32")
    return ops.sum(costs * weights, axis=-1) / ops.maximum(ops.sum(weights, axis=-1), 1.0)
