"""Bootstrapping: targets that are part label, part what the network believes already."""

from typing import Any

import keras
from keras import ops

from wsseg.artifacts import IGNORE
from wsseg.errors import require
from wsseg.losses.pixel_loss import PixelLoss, log_probability

BETA = {True: 0.8, False: 0.95}
"""The paper's public codes: 0.8 for hard, 0.95 for soft bootstrapping."""


@keras.saving.register_keras_serializable(package="wsseg")
class Bootstrapping(PixelLoss):
    """-sum_k [beta t_k + (1 - beta) z_k] log(q_k), q the softmax.

    Hard: z is 1 at the network's most probable class. Soft: z = q, whose term is the entropy of the prediction;
    the gradient passes through both of its factors.

    Args:
        hard: Hard or soft.
        beta: In [0, 1], how far labels are trusted; None for 0.8 (hard) or 0.95 (soft).
        ignore: Mask value of pixels that don't count.
        name: Of the loss.

    Raises:
        InputError: `beta` out of range.

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
