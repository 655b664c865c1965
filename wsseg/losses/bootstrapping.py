"""Bootstrapping: the target is a mixture of the label and the network's own prediction."""

from typing import Any

import keras
from keras import ops

from wsseg.artifacts import IGNORE
from wsseg.errors import require
from wsseg.losses.pixel_loss import PixelLoss, log_probability

BETA = {True: 0.8, False: 0.95}
"""Weight of the labels: 0.8 for hard and 0.95 for soft bootstrapping, as in the paper's public codes."""


@keras.saving.register_keras_serializable(package="wsseg")
class Bootstrapping(PixelLoss):
    """-sum_k [beta t_k + (1 - beta) z_k] log(q_k), where t is the one-hot label and q the softmax.

    Hard bootstrapping: z is 1 for the network's most probable class and 0 for the others. Soft bootstrapping: z = q;
    its term is the entropy of the prediction, and the gradient passes through both factors.

    Args:
        hard: Whether the bootstrapping is hard; otherwise it is soft.
        beta: Weight of the labels, in [0, 1]; None for 0.8 (hard) or 0.95 (soft).
        ignore: Mask value of pixels that don't count.
        name: Name of the loss.

    Raises:
        InputError: `beta` is out of range.

    References:
        Reed et al., Training Deep Neural Networks on Noisy Labels with Bootstrapping, ICLR 2015 workshop,
        section 3 †. († quoted from memory.)

    Example:
        >>> import numpy as np
        >>> logits = np.log([[[[0.75, 0.25]]]])
        >>> loss = Bootstrapping(hard=True, beta=0.5)
        >>> round(float(loss(np.array([[[1]]]), logits)), 4)  # -(log 0.25 + log 0.75) / 2
        0.837
    """

    def __init__(
        self,
        hard: bool = True,
        beta: float | None = None,
        ignore: int = IGNORE,
        name: str = "bootstrapping",
    ):
        super().__init__(ignore, name)
        self.hard = bool(hard)
        beta = BETA[self.hard] if beta is None else beta
        require("beta", beta, lambda x: 0 <= x <= 1, "in [0, 1]; try 0.8")
        self.beta = float(beta)

    def costs(self, labels, logits):
        """Return the formula's value for each pixel."""
        log_q = ops.log_softmax(logits)
        if self.hard:
            own = -ops.max(log_q, axis=-1)
        else:
            own = -ops.sum(ops.exp(log_q) * log_q, axis=-1)
        return -self.beta * log_probability(labels, logits) + (1 - self.beta) * own

    def get_config(self) -> dict[str, Any]:
        """Return the constructor's arguments."""
        return super().get_config() | {"hard": self.hard, "beta": self.beta}
