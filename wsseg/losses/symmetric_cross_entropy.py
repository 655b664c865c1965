"""Symmetric cross-entropy: the cross-entropy plus the reverse one, with labels and predictions exchanged."""

from typing import Any

import keras
from keras import ops

from wsseg.artifacts import IGNORE
from wsseg.errors import require
from wsseg.losses.pixel_loss import PixelLoss, log_probability

LOG_ZERO = -9.210340371976182
"""log(1e-4): the paper's public code clips the labels' zeros at 1e-4."""


@keras.saving.register_keras_serializable(package="wsseg")
class SymmetricCrossEntropy(PixelLoss):
    """alpha CE + beta RCE: -alpha log(p_y) - beta sum_k p_k log(t_k), where log 0 is replaced by A.

    p is the softmax and t the one-hot label of class y. The reverse cross-entropy is -A (1 - p_y). It is bounded, so a
    wrong label has less influence than in the cross-entropy.

    Args:
        alpha: Weight of the cross-entropy.
        beta: Weight of the reverse cross-entropy.
        log_zero: A, a number below 0. The paper tries values nearer to 0 (-4, -6 †), which equals a smaller `beta`.
        ignore: Mask value of pixels that don't count.
        name: Name of the loss.

    Raises:
        InputError: An option is out of range.

    References:
        Wang et al., Symmetric Cross Entropy for Robust Learning with Noisy Labels, ICCV 2019, section 3 †; alpha
        = 0.1 and beta = 1 for CIFAR-10 †. († quoted from memory.)

    Example:
        >>> import numpy as np
        >>> loss = SymmetricCrossEntropy(alpha=1, beta=1, log_zero=-4)
        >>> round(float(loss(np.array([[[0]]]), np.zeros((1, 1, 1, 2)))), 4)  # log 2 + 4 / 2
        2.6931
    """

    def __init__(
        self,
        alpha: float = 0.1,
        beta: float = 1.0,
        log_zero: float = LOG_ZERO,
        ignore: int = IGNORE,
        name: str = "symmetric_cross_entropy",
    ):
        super().__init__(ignore, name)
        for option, value in (("alpha", alpha), ("beta", beta)):
            require(option, value, lambda x: x >= 0, "0 or more; try 0.1 and 1")
        require("log_zero", log_zero, lambda x: x < 0, "below 0; try -4")
        self.alpha, self.beta, self.log_zero = float(alpha), float(beta), float(log_zero)

    def costs(self, labels, logits):
        """Return the formula's value for each pixel."""
        log_p = log_probability(labels, logits)
        return -self.alpha * log_p + self.beta * self.log_zero * ops.expm1(log_p)

    def get_config(self) -> dict[str, Any]:
        """Return the constructor's arguments."""
        own = {"alpha": self.alpha, "beta": self.beta, "log_zero": self.log_zero}
        return super().get_config() | own
