"""The losses of a two-stage detector, each over the boxes that were sampled for it."""

import keras
from keras import ops

BETA = 1 / 9
"""Distance at which the smooth L1 loss changes from a parabola to a line (Detectron, torchvision)."""


def objectness_loss(logits, positive, used):
    """Return the mean binary cross-entropy over the boxes used; all arguments are `(B, N)`."""
    each = keras.losses.binary_crossentropy(
        ops.cast(positive, "float32")[..., None], logits[..., None], from_logits=True
    )
    return _mean(each, used)


def class_loss(logits, classes, used):
    """Return the mean cross-entropy over the boxes used; logits are `(B, N, K)`, class ids and `used` `(B, N)`."""
    return _mean(keras.losses.sparse_categorical_crossentropy(classes, logits, from_logits=True), used)


def box_loss(offsets, targets, positive, used):
    """Return the summed smooth L1 distance of the positives' offsets `(B, N, 4)`, divided by the number of boxes used.

    References:
        Girshick, Fast R-CNN, ICCV 2015, equation 3. Division by all boxes used: Ren et al. 2015 and torchvision.
    """
    distance = ops.abs(offsets - targets)
    each = ops.where(distance < BETA, 0.5 * distance**2 / BETA, distance - 0.5 * BETA)
    # Offsets of other boxes can have any value, so they are masked before the sum.
    total = ops.sum(ops.where(positive[..., None], each, 0.0))
    return total / ops.maximum(ops.sum(ops.cast(used, "float32")), 1.0)


def mask_loss(logits, targets, positive):
    """Return the mean binary cross-entropy over the positives' masks.

    Logits and targets are `(B, N, h, w)`, `positive` is `(B, N)`.

    References:
        He et al., Mask R-CNN, ICCV 2017, section 3: the loss uses the mask of the true class alone.
    """
    each = keras.losses.binary_crossentropy(
        ops.cast(targets, "float32")[..., None], logits[..., None], from_logits=True
    )
    return _mean(ops.mean(each, axis=(2, 3)), positive)


def _mean(values, where):
    weights = ops.cast(where, "float32")
    return ops.sum(values * weights) / ops.maximum(ops.sum(weights), 1.0)
