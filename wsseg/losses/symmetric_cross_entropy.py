"""Symmetric cross-entropy: labels judge predictions, and predictions judge labels."""

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
    """alpha CE + beta RCE: -alpha log(p_y) - beta sum_k p_k log(t_k), where log 0 is taken to be A.

    Of a label that is certain (t_y = 1) the reverse cross-entropy is -A (1 - p_y): it is bounded, so it does not
    insist on a wrong label as the cross-entropy does.

    Args:
        alpha: Of the cross-entropy.
        beta: Of the reverse cross-entropy.
        log_zero: A, below 0. The paper tries smaller amounts (-4, -6 †), which is the same as a smaller `beta`.
        ignore: Mask value of pixels that don't count.
        name: Of the loss.

    Raises:
        InputError: An option out of range.

    References:
        Wang et al., Symmetric Cross Entropy for Robust Learning with Noisy Labels, ICCV 2019, section 3 †; alpha
        0.1 and beta 1 for CIFAR-10 †. († quoted from memory.)

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
