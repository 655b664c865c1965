"""SEAM's self-supervision: the class maps of an image and of a smaller view of the image must agree."""

from typing import Any

import keras
from keras import ops

from wsseg.classifiers.strongest_class import EPSILON, suppressed
from wsseg.layers.grid_rules import same
from wsseg.layers.masked_pooling import valid_cells

HARD = 0.2
"""Share of an image's numbers, the largest ones, over which the second loss is the mean."""

LOW = 0.25
"""Share of an image's cells, those with the lowest values, over which the third loss is the mean."""


@keras.saving.register_keras_serializable(package="wsseg")
class Equivariance(keras.layers.Layer):
    r"""Layer that adds SEAM's losses to a model's losses and returns its first input unchanged.

    The losses compare class maps $M$ and refined maps $R$ of two views, which lie on one grid, are scaled to [0, 1]
    there and multiplied by the image's labels.

    1. The mean of $|M_1 - M_2|$ over all classes.
    2. For each view, the mean of the largest fifth of $|R_1 - \mathrm{suppressed}(M_2)|$ (with 1 and 2 exchanged for
       the second view), background included; $M$ is a constant here.
    3. For each view, half the mean of the lowest quarter of the maximum over the classes of the unscaled $R$, so that
       every image has some background.

    Cells in the padding do not count. An image without labels has no second loss. It could never become 0, since the
    scaled background is not 1 everywhere.

    References:
        Wang et al., CVPR 2020 (SEAM), section 3.4, equations 7 and 8, and its public code (hard examples, the third
        loss, the constant). The public code counts the padding and scales each view at its own size.
    """

    output_grid = same

    def __init__(self, **kwargs: Any):
        super().__init__(**kwargs | {"dtype": "float32"})

    def call(self, passed, maps, refined, labels, valid):
        """Add the losses.

        Args:
            passed: Any tensor, which is returned unchanged.
            maps: Unscaled class maps of both views, each `(B, h, w, K)`.
            refined: Refined maps of both views, each `(B, h, w, K + 1)`, background first.
            labels: `(B, K)`, 1 for the classes of the image and 0 for the others.
            valid: `(B, H, W)`, 1 inside the image and 0 in the padding.
        """
        inside = ops.cast(valid_cells(valid, maps[0]), "float32")
        labels = ops.cast(labels, "float32")[:, None, None]
        labelled = ops.max(labels, axis=(1, 2, 3))
        first, second = (to_unit(view, inside) * labels for view in maps)
        cells = ops.maximum(ops.sum(inside, axis=(1, 2, 3)), 1) * maps[0].shape[-1]
        self.add_loss(ops.mean(ops.sum(ops.abs(first - second), axis=(1, 2, 3)) / cells))
        with_background = ops.concatenate([ops.ones_like(labels[..., :1]), labels], axis=-1)
        targets = [ops.stop_gradient(suppressed(view)) for view in (second, first)]
        for view, target in zip(refined, targets):
            errors = ops.abs(target - to_unit(view, inside) * with_background)
            self.add_loss(ops.mean(labelled * mean_of_largest(errors, inside, HARD)))
            strongest = ops.max(view[..., 1:] * labels, axis=-1, keepdims=True)
            self.add_loss(ops.mean(0 - mean_of_largest(-strongest, inside, LOW)) / 2)
        return passed

    def compute_output_shape(self, passed_shape, *further):
        """Return the first input's shape."""
        return passed_shape


def to_unit(maps: Any, inside: Any) -> Any:
    """Shift and scale the positive part of each map to [0, 1] over the cells inside the image.

    Gradients also pass through minimum and maximum.

    Args:
        maps: `(B, h, w, M)`.
        inside: `(B, h, w, 1)`: 1 for the cells inside, else 0; there the result is 0.
    """
    maps = ops.relu(maps)
    highest = ops.max(maps * inside, axis=(1, 2), keepdims=True)
    lowest = ops.min(ops.where(inside > 0, maps, highest), axis=(1, 2), keepdims=True)
    return inside * ops.relu(maps - lowest - EPSILON) / (highest - lowest + EPSILON)


def mean_of_largest(numbers: Any, inside: Any, share: float) -> Any:
    """Return the mean of the largest numbers of each image.

    Args:
        numbers: `(B, h, w, M)`.
        inside: `(B, h, w, 1)`: 1 for the cells that count.
        share: Share of the numbers of these cells that are averaged; at least one number, if there is a cell.

    Returns:
        `(B,)`; 0 for an image without such cells.
    """
    counted = ops.broadcast_to(inside > 0, ops.shape(numbers))
    rows = ops.where(counted, numbers, ops.full_like(numbers, -float("inf")))
    rows = -ops.sort(ops.reshape(-rows, (ops.shape(rows)[0], -1)), axis=1)
    wanted = ops.maximum(ops.floor(share * ops.sum(ops.cast(counted, "float32"), axis=(1, 2, 3))), 1)
    chosen = ops.arange(ops.shape(rows)[1], dtype="float32") < wanted[:, None]
    kept = ops.where(ops.logical_and(chosen, rows > -float("inf")), rows, ops.zeros_like(rows))
    return ops.sum(kept, axis=1) / wanted
