"""Generalised cross-entropy: between cross-entropy and mean absolute error, for labels that are partly wrong."""

from typing import Any

import keras
from keras import ops

from wsseg.artifacts import IGNORE
from wsseg.errors import require
from wsseg.losses.pixel_loss import PixelLoss, log_probability


@keras.saving.register_keras_serializable(package="wsseg")
class GeneralisedCrossEntropy(PixelLoss):
    """(1 - p^q) / q, where p is the softmax probability of the pixel's class.

    It is the cross-entropy for q -> 0, and half the absolute error of the probabilities for q = 1. Its gradient is
    that of the cross-entropy times p^q, so a label that the network finds very improbable has little influence.

    Args:
        q: Exponent in (0, 1]; 0.7 in the paper.
        ignore: Mask value of pixels that don't count.
        name: Name of the loss.

    Raises:
        InputError: `q` is out of range.

    References:
        Zhang and Sabuncu, Generalized Cross Entropy Loss for Training Deep Neural Networks with Noisy Labels,
        NeurIPS 2018, section 3.2.

    Example:
        >>> import numpy as np
        >>> loss = GeneralisedCrossEntropy(q=0.5)
        >>> round(float(loss(np.array([[[2]]]), np.zeros((1, 1, 1, 4)))), 4)  # p = 1/4: (1 - 1/2) / (1/2)
        1.0
    """

    def __init__(self, q: float = 0.7, ignore: int = IGNORE, name: str = "generalised_cross_entropy"):
        super().__init__(ignore, name)
        require("q", q, lambda x: 0 < x <= 1, "in (0, 1]; try 0.7")
        self.q = float(q)

    def costs(self, labels, logits):
        """Return the formula's value for each pixel."""
        return -ops.expm1(self.q * log_probability(labels, logits)) / self.q

    def get_config(self) -> dict[str, Any]:
        """Return the constructor's arguments."""
        return super().get_config() | {"q": self.q}
