"""The base class of losses that are a mean over the pixels whose class is known."""

from typing import Any

import keras
from keras import ops

from wsseg.artifacts import IGNORE
from wsseg.errors import InputError


class PixelLoss(keras.losses.Loss):
    """Mean of a cost per pixel over the known pixels of the batch.

    A subclass defines only the formula of its paper, in `costs`. Pixels with the ignore value, padding included, do not
    count: neither in the sum, nor in the number of pixels, nor in the gradient.

    Args:
        ignore: Mask value of pixels that don't count.
        name: Name of the loss.
    """

    def __init__(self, ignore: int = IGNORE, name: str | None = None):
        super().__init__(name=name, reduction="sum")
        self.ignore = ignore

    def costs(self, labels, logits):
        """Return the cost of each pixel.

        Args:
            labels: `(B, H, W)` int32 in 0..K-1; 0 where the class is unknown.
            logits: `(B, H, W, K)` float32; 0 where the class is unknown.

        Returns:
            `(B, H, W)` float32.
        """
        raise TypeError(f"{type(self).__name__} must define `costs`")

    def call(self, y_true, y_pred):
        """Compute the loss.

        Args:
            y_true: `(B, H, W)` int: 0 = background, 1..K-1, or the ignore value.
            y_pred: `(B, H, W, K)` float logits.

        Returns:
            Scalar float32; 0 where no pixel is known.
        """
        labels, logits, known = known_pixels(y_true, y_pred, self.ignore)
        return mean_where(self.costs(labels, logits), known)

    def get_config(self) -> dict[str, Any]:
        """Return the constructor's arguments."""
        return {"ignore": self.ignore, "name": self.name}


def known_pixels(y_true, y_pred, ignore: int = IGNORE):
    """Return labels and logits without the values of the ignored pixels.

    Args:
        y_true: `(B, H, W)` class ids, or `ignore`.
        y_pred: `(B, H, W, K)` logits of any precision.
        ignore: The value of pixels that don't count.

    Returns:
        Labels `(B, H, W)` int32 and logits `(B, H, W, K)` float32, both 0 at ignored pixels; and the known pixels,
        `(B, H, W)` bool.

    Raises:
        InputError: Masks and logits differ in size.
    """
    check_sizes(y_true, y_pred)
    labels = ops.cast(y_true, "int32")
    known = ops.not_equal(labels, ignore)
    logits = ops.where(ops.expand_dims(known, -1), ops.cast(y_pred, "float32"), 0.0)
    return ops.where(known, labels, 0), logits, known


def check_sizes(y_true, y_pred) -> None:
    """Fail if masks and logits differ in height or width; unknown sizes pass.

    Raises:
        InputError: The sizes differ; the message names both and says what to do.
    """
    sizes = [tuple(array.shape[1:3]) for array in (y_true, y_pred)]
    if any(None not in pair and pair[0] != pair[1] for pair in zip(*sizes)):
        texts = [" x ".join(map(str, size)) for size in sizes]
        raise InputError(
            f"masks of {texts[0]} pixels do not fit logits of {texts[1]}; resize them, or crop the masks by the "
            "margin of a network without padding (`TrainingBatches(margin=model.margin)`)"
        )


def log_probability(labels, logits):
    """Return the log of the softmax probability of each pixel's class, `(B, H, W)` float32."""
    return -ops.sparse_categorical_crossentropy(labels, logits, from_logits=True)


def mean_where(values, where):
    """Return the mean of `values` where `where` is true (scalar float32), or 0 if it is true nowhere."""
    total = ops.sum(ops.where(where, values, 0.0))
    return total / ops.maximum(ops.sum(ops.cast(where, "float32")), 1.0)
