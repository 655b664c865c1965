"""The classes that logits predict."""

from typing import Any

import keras
from keras import ops


@keras.saving.register_keras_serializable(package="wsseg")
class PredictedClasses(keras.layers.Layer):
    """Mark the class of the highest logit and, where an image may have several, every class of a positive one.

    A positive logit is a probability above a half. The highest counts in any case: an image shows something.

    Args:
        single_label: An image has one class.

    Example:
        >>> import numpy as np
        >>> logits = np.array([[2.0, -1.0, 0.5], [-3.0, -1.0, -2.0]])
        >>> PredictedClasses()(logits).numpy().tolist()
        [[1.0, 0.0, 1.0], [0.0, 1.0, 0.0]]
    """

    def __init__(self, single_label: bool = False, **kwargs: Any):
        super().__init__(**kwargs)
        self.single_label = single_label

    def call(self, logits):
        """Turn `(B, K)` logits into `(B, K)` 0 or 1, of the logits' type."""
        predicted = ops.one_hot(ops.argmax(logits, axis=-1), ops.shape(logits)[-1], dtype=logits.dtype)
        if self.single_label:
            return predicted
        return ops.maximum(predicted, ops.cast(logits > 0, logits.dtype))

    def compute_output_shape(self, logits_shape):
        """Return the logits' shape."""
        return logits_shape

    def get_config(self) -> dict[str, Any]:
        """Return the constructor's arguments."""
        return super().get_config() | {"single_label": self.single_label}
