"""Cross-entropy in which foreground and background have the same weight, independent of their areas."""

import keras
from keras import ops

from wsseg.artifacts import IGNORE
from wsseg.losses.pixel_loss import known_pixels, log_probability, mean_where


@keras.saving.register_keras_serializable(package="wsseg")
class BalancedCrossEntropy(keras.losses.Loss):
    """Half the sum of the mean cross-entropy of the foreground pixels and that of the background pixels.

    Both means run over the whole batch. Without this balance, a segmenter trained on pseudo-masks predicts too much
    background. Pixels with the ignore value, padding included, do not count.

    Args:
        ignore: Mask value of pixels that don't count.

    References:
        Huang et al., Weakly-Supervised Semantic Segmentation Network with Deep Seeded Region Growing,
        CVPR 2018, equation 2 (balanced seeding loss; halved here to keep the scale of a plain mean).

    Example:
        >>> import numpy as np
        >>> masks = np.array([[[0, 1, 255]]])  # (1, 1, 3)
        >>> round(float(BalancedCrossEntropy()(masks, np.zeros((1, 1, 3, 2)))), 4)  # two equal logits: log 2
        0.6931
    """

    def __init__(self, ignore: int = IGNORE, name: str = "balanced_cross_entropy"):
        super().__init__(name=name, reduction="sum")
        self.ignore = ignore

    def call(self, y_true, y_pred):
        """Compute the loss.

        Args:
            y_true: `(B, H, W)` int: 0 = background, 1..K, or the ignore value.
            y_pred: `(B, H, W, K + 1)` float logits.

        Returns:
            Scalar float32.
        """
        labels, logits, known = known_pixels(y_true, y_pred, self.ignore)
        costs = -log_probability(labels, logits)
        foreground = mean_where(costs, ops.logical_and(known, labels > 0))
        return 0.5 * (foreground + mean_where(costs, ops.logical_and(known, ops.equal(labels, 0))))

    def get_config(self):
        """Return the constructor's arguments."""
        return {"ignore": self.ignore, "name": self.name}
