"""SEC's second principle: expand seeds to regions of a plausible size."""

from typing import Any

import keras
from keras import ops

from wsseg.artifacts import IGNORE
from wsseg.errors import require
from wsseg.losses.pixel_loss import check_sizes

CELLS = 41 * 41
"""Number of cells of SEC's maps, for which its decays are meant."""


@keras.saving.register_keras_serializable(package="wsseg")
class ExpansionLoss(keras.losses.Loss):
    """Image-level classification by global weighted rank pooling of the pixels' probabilities.

    G_c(d) is the weighted mean of the class's probabilities in falling order; the j-th has the weight d^(j-1). It is
    the maximum for d = 0 and the plain mean for d = 1. The loss of an image is

        -mean over present classes of log G_c(d+) - mean over absent ones of log(1 - G_c(d-)) - log G_bg(d_bg)

    Every image is assumed to contain background, and the background is in neither of the two means. The loss of the
    batch is the mean over its images. d+ = 0.996 gives half of the weight to a tenth of a 41 x 41 map, and d_bg = 0.999
    to three tenths; d- = 0. For a map of n pixels the decays are raised to the power 1681 / n, which keeps these
    shares.

    Args:
        present: Decay d+ of the classes of the image.
        absent: Decay d- of the other classes.
        background: Decay d_bg of the background.
        cells: Number of cells of a map that the decays are meant for; None to use the decays unchanged.
        pool_unknown: Whether to pool also over pixels with the ignore value, if masks are given. This expands the
            seeds. But padding has the same value and is pooled too, so use crops without padding (`long_side` at least
            `crop`).
        ignore: Mask value of pixels without a class.
        name: Name of the loss.

    Raises:
        InputError: An option is out of range.

    References:
        Kolesnikov and Lampert, Seed, Expand and Constrain, ECCV 2016, section 3.3 †. Form and decays were checked
        against reimplementations of its public code. († quoted from memory.)

    Example:
        >>> import numpy as np
        >>> labels = np.array([[1.0, 1.0, 0.0]])
        >>> p = np.array([0.5, 0.25, 0.25]) * np.ones((1, 4, 4, 1))
        >>> print(round(float(ExpansionLoss()(labels, np.log(p))), 4))  # -log(1/4) - log(3/4) - log(1/2)
        2.3671
    """

    def __init__(
        self,
        present: float = 0.996,
        absent: float = 0.0,
        background: float = 0.999,
        cells: int | None = CELLS,
        pool_unknown: bool = True,
        ignore: int = IGNORE,
        name: str = "expansion",
    ):
        super().__init__(name=name, reduction="sum")
        for option, value in (("present", present), ("absent", absent), ("background", background)):
            require(option, value, lambda x: 0 <= x <= 1, "a decay in [0, 1]; try 0.996")
        require("cells", cells, lambda x: x is None or x >= 1, f"at least 1; try {CELLS}")
        self.present, self.absent, self.background = float(present), float(absent), float(background)
        self.cells, self.pool_unknown, self.ignore = cells, bool(pool_unknown), ignore

    def call(self, y_true, y_pred):
        """Compute the loss.

        Args:
            y_true: `(B, K)` image-level labels, 1 for present, background first (its label is not used); or masks
                `(B, H, W)` int, whose classes are taken as present.
            y_pred: `(B, H, W, K)` float logits.

        Returns:
            Scalar float32.
        """
        size, num_classes = ops.shape(y_pred), y_pred.shape[-1]
        if len(y_true.shape) == 2:
            present = ops.cast(y_true > 0.5, "float32")
            counted = ops.ones((size[0], size[1] * size[2], 1), "float32")
        else:
            check_sizes(y_true, y_pred)
            labels = ops.reshape(ops.cast(y_true, "int32"), (size[0], -1))
            known = ops.not_equal(labels, self.ignore)
            one_hot = ops.one_hot(ops.where(known, labels, 0), num_classes)
            counted = ops.expand_dims(ops.cast(known, "float32"), -1)
            present = ops.max(one_hot * counted, axis=1)
            counted = ops.ones_like(counted) if self.pool_unknown else counted
        probabilities = ops.softmax(ops.cast(ops.reshape(y_pred, (size[0], -1, num_classes)), "float32"))

        def pooled(first, last, decay):
            pool = rank_pooling(probabilities[..., first:last], counted, decay, self.cells)
            return ops.clip(pool, 1e-7, 1 - 1e-7)

        present = present[:, 1:]
        cost = mean(-ops.log(pooled(1, num_classes, self.present)), present)
        cost += mean(-ops.log(1 - pooled(1, num_classes, self.absent)), 1 - present)
        cost += -ops.log(pooled(0, 1, self.background))[:, 0]
        images = ops.cast(ops.sum(counted, axis=(1, 2)) > 0, "float32")
        return ops.sum(cost * images) / ops.maximum(ops.sum(images), 1.0)

    def get_config(self) -> dict[str, Any]:
        """Return the constructor's arguments."""
        return {
            "present": self.present,
            "absent": self.absent,
            "background": self.background,
            "cells": self.cells,
            "pool_unknown": self.pool_unknown,
            "ignore": self.ignore,
            "name": self.name,
        }


def rank_pooling(values, counted, decay: float, cells: int | None = None):
    """Pool maps by rank: the weighted mean of the values in falling order, where the j-th has weight decay^(j-1).

    Args:
        values: `(B, P, K)` float32, 0 or more.
        counted: `(B, P, 1)` float32, 1 for the pixels to pool.
        decay: Decay in [0, 1]: 0 for the maximum, 1 for the mean.
        cells: Number of cells that the decay is meant for: with n pooled pixels the decay is raised to the power
            `cells / n`. None to use the decay unchanged.

    Returns:
        `(B, K)` float32.

    Example:
        >>> import numpy as np
        >>> values = np.float32([[[1], [4], [2]]])
        >>> float(rank_pooling(values, np.ones((1, 3, 1), "float32"), 0.5)[0, 0])  # (4 + 1 + 1/4) / (7/4)
        3.0
    """
    values = ops.where(counted > 0, values, -1.0)
    if decay == 0:
        return ops.maximum(ops.max(values, axis=1), 0.0)
    values = -ops.sort(-values, axis=1)
    ranks = ops.reshape(ops.arange(ops.shape(values)[1], dtype="float32"), (1, -1, 1))
    pixels = ops.sum(counted, axis=1, keepdims=True)
    steps = ranks if cells is None else ranks * cells / ops.maximum(pixels, 1.0)
    weights = ops.where(ranks < pixels, ops.power(decay, steps), 0.0)
    return ops.sum(weights * values, axis=1) / ops.maximum(ops.sum(weights, axis=1), 1e-7)


def mean(values, weights):
    """Return the mean over the last axis of the values with weight 1; 0 if there are none."""
    return ops.sum(values * weights, axis=-1) / ops.maximum(ops.sum(weights, axis=-1), 1.0)
