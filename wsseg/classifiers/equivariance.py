"""SEAM's self-supervision: class maps of an image and of the same image made smaller must agree."""

from typing import Any

import keras
from keras import ops

from wsseg.classifiers.strongest_class import suppressed
from wsseg.layers.masked_pooling import valid_cells

EPSILON = 1e-5
HARD = 0.2
"""Share of the numbers of an image that the second loss is the mean of: the largest."""

LOW = 0.25
"""Share of the cells of an image that the third loss is the mean of: the lowest."""


def scaled(maps: Any, inside: Any) -> Any:
    """Shift and scale the positive part of each map to [0, 1] over the cells inside; gradients pass by both ends.

    Args:
        maps: `(B, h, w, M)`.
        inside: `(B, h, w, 1)`: 1 or 0; outside the result is 0.
    """
    maps = ops.relu(maps)
    highest = ops.max(maps * inside, axis=(1, 2), keepdims=True)
    lowest = ops.min(ops.where(inside > 0, maps, highest), axis=(1, 2), keepdims=True)
    return inside * ops.relu(maps - lowest - EPSILON) / (highest - lowest + EPSILON)


@keras.saving.register_keras_serializable(package="wsseg")
class Equivariance(keras.layers.Layer):
    r"""Adds SEAM's losses to a model's, and gives its first input on.

    Of class maps $M$ and refined maps $R$ of two views on one grid, times the image's labels, scaled to [0, 1]:
    the mean of $|M_1 - M_2|$ over the classes; for either view the mean of the largest fifth of
    $|R_1 - \mathrm{suppressed}(M_2)|$, background included, the $M$ a constant; and half of either view's mean of the
    lowest quarter of its unscaled $R$'s maximum over the classes, so that no image is without background. The padding
    counts as 0.

    References:
        Wang et al., CVPR 2020 (SEAM), section 3.4, equations 7 and 8, and its public code (hard examples, the third
        loss, the constant).
    """

    def __init__(self, **kwargs: Any):
        super().__init__(**kwargs | {"dtype": "float32"})

    def call(self, passed, maps, refined, labels, valid):
        """Add the losses.

        Args:
            passed: Anything, which is returned.
            maps: Two of `(B, h, w, K)`, unscaled class maps.
            refined: Two of `(B, h, w, K + 1)`, background first.
            labels: `(B, K)`, 1 for the classes of the image and 0 for the others.
            valid: `(B, H, W)`, 1 where the image is and 0 in the padding.
        """
        inside = ops.cast(valid_cells(valid, maps[0]), "float32")
        labels = ops.cast(labels, "float32")[:, None, None]
        first, second = (scaled(view, inside) * labels for view in maps)
        self.add_loss(ops.mean(ops.abs(first - second)))
        with_background = ops.concatenate([ops.ones_like(labels[..., :1]), labels], axis=-1)
        targets = [inside * ops.stop_gradient(suppressed(view)) for view in (second, first)]
        for view, target in zip(refined, targets):
            self.add_loss(hardest(ops.abs(target - scaled(view, inside) * with_background)))
            self.add_loss(lowest(view[..., 1:] * labels * inside) / 2)
        return passed

    def compute_output_shape(self, passed_shape, *further):
        """Return the first input's shape."""
        return passed_shape


def hardest(errors: Any) -> Any:
    """Return the mean of the largest numbers of each image, `HARD` of them."""
    rows = ops.reshape(errors, (ops.shape(errors)[0], -1))
    return _mean_of_largest(rows, HARD)


def lowest(maps: Any) -> Any:
    """Return the mean, over the cells where it is lowest (`LOW`), of what the strongest class of `(B, h, w, K)` has."""
    strongest = ops.max(maps, axis=-1)
    rows = ops.reshape(strongest, (ops.shape(strongest)[0], -1))
    return -_mean_of_largest(-rows, LOW)


def _mean_of_largest(rows: Any, share: float) -> Any:
    count = ops.shape(rows)[1]
    if isinstance(count, int):
        kept: Any = max(int(share * count), 1)
    else:
        kept = ops.maximum(ops.cast(share * ops.cast(count, "float32"), "int32"), 1)
    return ops.mean(ops.top_k(rows, kept, sorted=False)[0])
