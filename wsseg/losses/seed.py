"""SEC's first principle: seed with weak localisation cues."""

from typing import Any

import keras
from keras import ops

from wsseg.artifacts import IGNORE
from wsseg.losses.pixel_loss import known_pixels, log_probability


@keras.saving.register_keras_serializable(package="wsseg")
class SeedLoss(keras.losses.Loss):
    """Cross-entropy at the seeds alone, averaged over each image's seeds and then over the images.

    Unlike in the plain cross-entropy, an image with few seeds counts as much as an image with many.

    Args:
        ignore: Mask value of pixels that are not seeds.
        name: Name of the loss.

    References:
        Kolesnikov and Lampert, Seed, Expand and Constrain: Three Principles for Weakly-Supervised Image
        Segmentation, ECCV 2016, section 3.2 †, checked against reimplementations of its public code. (There a
        pixel can be a seed of two classes; a mask has one class per pixel. † quoted from memory.)

    Example:
        >>> import numpy as np
        >>> seeds = np.array([[[1, 255]], [[0, 0]]])
        >>> logits = np.log([[[[0.5, 0.5], [1, 1]]], [[[1, 1e-30], [1, 1e-30]]]])
        >>> round(float(SeedLoss()(seeds, logits)), 4)  # (log 2 + 0) / 2
        0.3466
    """

    def __init__(self, ignore: int = IGNORE, name: str = "seed"):
        super().__init__(name=name, reduction="sum")
        self.ignore = ignore

    def call(self, y_true, y_pred):
        """Compute the loss.

        Args:
            y_true: `(B, H, W)` int: the class of a seed, or the ignore value.
            y_pred: `(B, H, W, K)` float logits.

        Returns:
            Scalar float32.
        """
        labels, logits, known = known_pixels(y_true, y_pred, self.ignore)
        costs = ops.where(known, -log_probability(labels, logits), 0.0)
        seeds = ops.sum(ops.cast(known, "float32"), axis=(1, 2))
        means = ops.sum(costs, axis=(1, 2)) / ops.maximum(seeds, 1.0)
        return ops.sum(means) / ops.maximum(ops.sum(ops.cast(seeds > 0, "float32")), 1.0)

    def get_config(self) -> dict[str, Any]:
        """Return the constructor's arguments."""
        return {"ignore": self.ignore, "name": self.name}
