"""Generalised cross-entropy for image-level labels that are partly wrong."""

from typing import Any

import keras
from keras import ops

from wsseg.errors import require


@keras.saving.register_keras_serializable(package="wsseg")
class GeneralisedLabelLoss(keras.losses.Loss):
    """(1 - p^q) / q, averaged over images and classes, where p is the predicted probability of the given label.

    With several labels per image, each class is a binary problem: p is the sigmoid of the logit if the label is
    present, and 1 minus the sigmoid if it is absent. With one label per image, p is the softmax probability of its
    class. The loss lies between the cross-entropy (q -> 0) and the absolute error (q = 1): labels that the network
    finds very improbable have little influence.

    Args:
        q: Exponent in (0, 1]; 0.7 in the paper, for softmax.
        single_label: Whether an image has exactly one label.
        name: Name of the loss.

    Raises:
        InputError: `q` is out of range.

    References:
        Zhang and Sabuncu, Generalized Cross Entropy Loss for Training Deep Neural Networks with Noisy Labels,
        NeurIPS 2018, section 3.2 (softmax; the binary form per class is from wsseg).

    Example:
        >>> import numpy as np
        >>> loss = GeneralisedLabelLoss(q=0.5)
        >>> round(float(loss(np.array([[1.0]]), np.log([[1 / 3]]))), 4)  # p = 1/4: (1 - 1/2) / (1/2)
        1.0
    """

    def __init__(
        self, q: float = 0.7, single_label: bool = False, name: str = "generalised_label_loss", **kwargs: Any
    ):
        super().__init__(name=name, **kwargs)
        require("q", q, lambda x: 0 < x <= 1, "in (0, 1]; try 0.7")
        self.q, self.single_label = float(q), bool(single_label)

    def call(self, y_true, y_pred):
        """Return the cost of each image, `(B,)`, for labels `(B, K)` 0 or 1 and logits `(B, K)`."""
        logits = ops.cast(y_pred, "float32")
        labels = ops.cast(y_true, "float32")
        if self.single_label:
            log_p = ops.sum(labels * ops.log_softmax(logits, axis=-1), axis=-1, keepdims=True)
        else:
            log_p = ops.log_sigmoid((2 * labels - 1) * logits)
        return ops.mean(-ops.expm1(self.q * log_p) / self.q, axis=-1)

    def get_config(self) -> dict[str, Any]:
        """Return the constructor's arguments."""
        return super().get_config() | {"q": self.q, "single_label": self.single_label}
