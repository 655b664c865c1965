"""The loss of a network with a second (auxiliary) head."""

from typing import Any

import keras

from wsseg.errors import InputError

WEIGHT = 0.4
"""Weight of the second head's loss: Zhao et al., Pyramid Scene Parsing Network, CVPR 2017, section 3.3 †."""


@keras.saving.register_keras_serializable(package="wsseg")
class WithAuxiliary(keras.losses.Loss):
    """loss(first head) + weight * loss(second head), for both heads' logits side by side.

    `Segmenter.with_auxiliary` gives such an output.

    Args:
        loss: Loss of each head.
        num_classes: Number of classes K of each head.
        weight: Weight of the second head's loss.
        name: Name of the loss.

    Example:
        >>> import numpy as np
        >>> from wsseg.losses import create
        >>> loss = WithAuxiliary(create("cross_entropy"), num_classes=2)
        >>> round(float(loss(np.array([[[1]]]), np.zeros((1, 1, 1, 4)))), 4)  # 1.4 log 2
        0.9704
    """

    def __init__(
        self,
        loss: keras.losses.Loss,
        num_classes: int,
        weight: float = WEIGHT,
        name: str = "with_auxiliary",
    ):
        super().__init__(name=name, reduction="sum")
        self.loss, self.num_classes, self.weight = loss, num_classes, weight

    def call(self, y_true, y_pred):
        """Compute the loss.

        Args:
            y_true: The targets of `loss`.
            y_pred: `(B, H, W, 2 K)` float logits, the first head's before the second's.

        Returns:
            Scalar float32.

        Raises:
            InputError: `y_pred` has another number of channels.
        """
        if y_pred.shape[-1] != 2 * self.num_classes:
            raise InputError(
                f"two heads of {self.num_classes} classes have {2 * self.num_classes} channels; got "
                f"{y_pred.shape[-1]}; train `model.with_auxiliary()`"
            )
        first, second = y_pred[..., : self.num_classes], y_pred[..., self.num_classes :]
        return self.loss(y_true, first) + self.weight * self.loss(y_true, second)

    def get_config(self) -> dict[str, Any]:
        """Return the constructor's arguments."""
        return {
            "loss": keras.saving.serialize_keras_object(self.loss),
            "num_classes": self.num_classes,
            "weight": self.weight,
            "name": self.name,
        }

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> "WithAuxiliary":
        """Rebuild from `get_config`."""
        return cls(**config | {"loss": keras.saving.deserialize_keras_object(config["loss"])})
