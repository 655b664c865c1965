"""The Lovasz-softmax loss: a surrogate of the mean IoU."""

from typing import Any

import keras
from keras import ops

from wsseg.artifacts import IGNORE
from wsseg.errors import require
from wsseg.losses.dice import CLASSES, mean_over_classes
from wsseg.losses.pixel_loss import known_pixels


@keras.saving.register_keras_serializable(package="wsseg")
class LovaszSoftmax(keras.losses.Loss):
    """Mean over the classes of the Lovasz extension of 1 - IoU, at the errors of the pixels.

    The error of a pixel for class c is 1 - p_c if it belongs to the class, and p_c otherwise. With the errors m in
    falling order, the loss of a class is sum_i m_i g_i. Here g_i is the increase of the Jaccard loss when the i-th
    pixel joins the set of wrong pixels. For probabilities of 0 and 1 the loss is 1 - IoU.

    Args:
        per_image: Whether to average one loss per image, instead of computing one loss over the whole batch. The mean
            IoU is usually computed over a whole data set, and a batch is nearer to it than an image.
        classes: Average over the classes "present" in the masks (of the batch or image), or over "all".
        ignore: Mask value of pixels that don't count.
        name: Name of the loss.

    Raises:
        InputError: `classes` has another value.

    References:
        Berman et al., The Lovasz-Softmax Loss: A Tractable Surrogate for the Optimization of the
        Intersection-Over-Union Measure in Neural Networks, CVPR 2018, definition 2, section 3 †.
        († quoted from memory.)

    Example:
        >>> import numpy as np
        >>> masks = np.array([[[0, 1, 1, 255]]])
        >>> sure = 50 * np.eye(2)[[0, 0, 1, 1]][None, None]  # one of two pixels of class 1 taken for class 0
        >>> round(float(LovaszSoftmax()(masks, sure)), 4)  # IoU 1/2 and 1/2
        0.5
    """

    def __init__(
        self,
        per_image: bool = False,
        classes: str = "present",
        ignore: int = IGNORE,
        name: str = "lovasz_softmax",
    ):
        super().__init__(name=name, reduction="sum")
        require("classes", classes, lambda x: x in CLASSES, "present or all")
        self.per_image, self.classes, self.ignore = bool(per_image), classes, ignore

    def call(self, y_true, y_pred):
        """Compute the loss.

        Args:
            y_true: `(B, H, W)` int: 0 = background, 1..K-1, or the ignore value.
            y_pred: `(B, H, W, K)` float logits.

        Returns:
            Scalar float32 in [0, 1].
        """
        labels, logits, known = known_pixels(y_true, y_pred, self.ignore)
        groups, num_classes = ops.shape(logits)[0] if self.per_image else 1, logits.shape[-1]
        counted = ops.expand_dims(ops.cast(known, "float32"), -1)
        truth = ops.one_hot(labels, num_classes) * counted
        errors = ops.abs(truth - ops.softmax(logits)) * counted

        def in_groups(values):  # (B, H, W, K) -> (groups, K, pixels)
            return ops.swapaxes(ops.reshape(values, (groups, -1, values.shape[-1])), 1, 2)

        # An ignored pixel has error 0, so it comes last, where it does not change the terms of other pixels.
        costs = lovasz_extension(in_groups(errors), in_groups(truth))
        pixels, known = ops.sum(in_groups(truth), axis=-1), ops.sum(in_groups(counted), axis=(1, 2))
        means = mean_over_classes(costs, pixels, known, self.classes)
        return ops.sum(means) / ops.maximum(ops.sum(ops.cast(ops.greater(known, 0), "float32")), 1.0)

    def get_config(self) -> dict[str, Any]:
        """Return the constructor's arguments."""
        return {
            "per_image": self.per_image,
            "classes": self.classes,
            "ignore": self.ignore,
            "name": self.name,
        }


def lovasz_extension(errors, truth):
    """Return the Lovasz extension of the Jaccard loss.

    Args:
        errors: `(..., P)` float32 in [0, 1].
        truth: `(..., P)` float32, 1 for the pixels of the class.

    Returns:
        `(...)` float32.
    """
    order = ops.argsort(-errors, axis=-1)
    errors, truth = (ops.take_along_axis(values, order, axis=-1) for values in (errors, truth))
    positives = ops.sum(truth, axis=-1, keepdims=True)
    intersection = positives - ops.cumsum(truth, axis=-1)
    union = positives + ops.cumsum(1.0 - truth, axis=-1)
    jaccard_loss = 1.0 - intersection / union
    growth = ops.concatenate([jaccard_loss[..., :1], jaccard_loss[..., 1:] - jaccard_loss[..., :-1]], axis=-1)
    return ops.sum(errors * growth, axis=-1)
