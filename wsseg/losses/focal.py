"""The focal loss: cross-entropy with small weights for pixels that are already classified well."""

from collections.abc import Sequence
from typing import Any

import keras
from keras import ops

from wsseg.artifacts import IGNORE
from wsseg.errors import require
from wsseg.losses.pixel_loss import PixelLoss, log_probability


@keras.saving.register_keras_serializable(package="wsseg")
class FocalLoss(PixelLoss):
    """-alpha_t (1 - p_t)^gamma log(p_t), where p_t is the softmax probability of the pixel's class.

    The paper's form is for two classes and a sigmoid. This is its usual extension to a softmax, with one alpha per
    class. A single alpha would only scale the loss, so by default there is none. It equals
    `keras.losses.CategoricalFocalCrossentropy`, with three differences: it takes class ids, it ignores pixels, and it
    does not clip probabilities at 1e-7, where clipping would remove the gradient of the worst mistakes.

    Args:
        gamma: Exponent that lowers the weight of easy pixels; 0 is the plain cross-entropy.
        alpha: A weight for each class, background first, or None.
        ignore: Mask value of pixels that don't count.
        name: Name of the loss.

    Raises:
        InputError: An option is out of range.

    References:
        Lin et al., Focal Loss for Dense Object Detection, ICCV 2017, equations 4 and 5 †; gamma = 2
        in section 5 †. († quoted from memory.)

    Example:
        >>> import numpy as np
        >>> masks = np.array([[[1]]])
        >>> round(float(FocalLoss(gamma=2)(masks, np.zeros((1, 1, 1, 2)))), 4)  # (1/2)^2 log 2
        0.1733
    """

    per_class = "alpha"

    def __init__(
        self,
        gamma: float = 2.0,
        alpha: Sequence[float] | None = None,
        ignore: int = IGNORE,
        name: str = "focal",
    ):
        super().__init__(ignore, name)
        require("gamma", gamma, lambda x: x >= 0, "0 or more; try 2")
        require(
            "alpha",
            alpha,
            lambda x: x is None or (len(x) > 1 and min(x) >= 0),
            "a weight of 0 or more for each class, background first, or null",
        )
        self.gamma, self.alpha = float(gamma), None if alpha is None else [float(x) for x in alpha]

    def costs(self, labels, logits):
        """Return the formula's value for each pixel."""
        log_p = log_probability(labels, logits)
        costs = -log_p
        if self.gamma:
            # The base stays above 0: for gamma below 1 the slope of the power is infinite at 0.
            costs = costs * ops.power(ops.maximum(-ops.expm1(log_p), 1e-7), self.gamma)
        if self.alpha is not None:
            costs = costs * ops.take(ops.convert_to_tensor(self.alpha, "float32"), labels)
        return costs

    def get_config(self) -> dict[str, Any]:
        """Return the constructor's arguments."""
        return super().get_config() | {"gamma": self.gamma, "alpha": self.alpha}
