"""SEC's third principle: constrain the segmentation to follow the boundaries that a CRF finds."""

from typing import Any

import keras
from keras import ops

from wsseg.losses.pixel_loss import check_sizes, mean_where


@keras.saving.register_keras_serializable(package="wsseg")
class ConstrainToBoundaryLoss(keras.losses.Loss):
    """Mean over the pixels of the Kullback-Leibler divergence KL(Q || f) = sum_c Q_c log(Q_c / f_c).

    f is the network's softmax, and Q is f refined by a fully connected CRF (`wsseg.refiners.DenseCRF` of image and
    probabilities). Q is a constant: the gradient reaches the network through f alone.

    Args:
        name: Name of the loss.

    References:
        Kolesnikov and Lampert, Seed, Expand and Constrain, ECCV 2016, section 3.4 †. (The public code also keeps
        Q / f within [1/20, 20] †. † quoted from memory.)

    Example:
        >>> import numpy as np
        >>> q = np.array([[[[1.0, 0.0], [0.0, 0.0]]]])  # the second pixel is padding
        >>> round(float(ConstrainToBoundaryLoss()(q, np.zeros((1, 1, 2, 2)))), 4)  # log(1 / (1/2))
        0.6931
    """

    def __init__(self, name: str = "constrain_to_boundary"):
        super().__init__(name=name, reduction="sum")

    def call(self, y_true, y_pred):
        """Compute the loss.

        Args:
            y_true: `(B, H, W, K)` float: Q, with sum 1 over K; all 0 at pixels that don't count.
            y_pred: `(B, H, W, K)` float logits.

        Returns:
            Scalar float32, 0 or more.
        """
        check_sizes(y_true, y_pred)
        target = ops.cast(y_true, "float32")
        counted = ops.sum(target, axis=-1) > 0.5
        logits = ops.where(ops.expand_dims(counted, -1), ops.cast(y_pred, "float32"), 0.0)
        # Q log Q is 0 at Q = 0.
        surprise = ops.log(ops.maximum(target, 1e-30)) - ops.log_softmax(logits)
        return mean_where(ops.sum(target * surprise, axis=-1), counted)

    def get_config(self) -> dict[str, Any]:
        """Return the constructor's arguments."""
        return {"name": self.name}
