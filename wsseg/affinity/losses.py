"""Losses of the affinity networks, from masks whose pixels are confident or unknown (255)."""

from typing import Any

import keras
import numpy as np
from keras import ops

from wsseg.affinity.pairs import boundary_affinity, cell_labels, mean_over, pair_labels, pairs_of
from wsseg.grid import Grid
from wsseg.refiners.affinity import directions

TINY = 1e-5  # added inside the logarithms, as in both public codes


class _PairLoss(keras.losses.Loss):
    """A loss over the pairs of neighbouring cells.

    Args:
        grid: Grid of the network's cells.
        radius: Radius of the neighbourhood, cells.
    """

    def __init__(self, grid: Grid, radius: int):
        super().__init__(name=type(self).__name__, reduction="sum")
        self.grid, self.radius = grid, radius

    def labels(self, y_true: Any, y_pred: Any) -> tuple[Any, Any, Any]:
        """Return the kinds of the pairs (see `pair_labels`) for masks `(B, H, W)` and the network's output."""
        cells = cell_labels(y_true, y_pred.shape[1:3], self.grid.stride_hw, self.grid.centre_hw)
        return pair_labels(cells, self.radius)


class AffinityLoss(_PairLoss):
    r"""The loss of AffinityNet: $\frac14 L_{bg} + \frac14 L_{fg} + \frac12 L_{neg}$.

    The affinity of a pair of cells is $a_{ij} = \exp(-\frac1C \|f_i - f_j\|_1)$ for features $f$ with $C$ channels.
    $L_{bg}$ and $L_{fg}$ are the means of $-\log a$ over pairs of background and over pairs of the same foreground
    class. $L_{neg}$ is the mean of $-\log(1 - a)$ over pairs of different classes.

    References:
        Ahn and Kwak, CVPR 2018, equations 3 to 5, with the weights of its public code.
    """

    def call(self, y_true, y_pred):
        """Compute the loss for masks `(B, H, W)` int and features `(B, h, w, C)`."""
        background, foreground, different = self.labels(y_true, y_pred)
        affinity = self.affinity(y_pred)
        alike, unlike = -ops.log(affinity + TINY), -ops.log(1 + TINY - affinity)
        same = mean_over(alike, background) + mean_over(alike, foreground)
        return same / 4 + mean_over(unlike, different) / 2

    def affinity(self, features):
        """Return the affinities of the pairs, `(B, D, N)` float32."""
        start, end = pairs_of(ops.cast(features, "float32"), self.radius)
        return ops.exp(-ops.mean(ops.abs(start - end), axis=-1))


class InterPixelLoss(_PairLoss):
    r"""The loss of IRNet: a term for boundaries, and a term for displacements to the instance's centre.

    Boundaries: $\frac14 L_{bg} + \frac14 L_{fg} + \frac12 L_{neg}$ as in `AffinityLoss`, where $a_{ij}$ is 1 minus the
    strongest boundary between i and j. Displacements $d$: half the mean of $|(d_i - d_j) - (j - i)|$ over pairs of the
    same foreground class, plus half the mean of $|d_i - d_j|$ over pairs of background. Both means also run over the
    two coordinates.

    References:
        Ahn et al., CVPR 2019, equations 3 to 5 and 7 to 10; the weights are those of its public code
        (`step/train_irn.py`, `net/resnet50_irn.py`).
    """

    def call(self, y_true, y_pred):
        """Compute the loss for masks `(B, H, W)` int and outputs `(B, h, w, 3)`: boundary logits and displacements."""
        background, foreground, different = self.labels(y_true, y_pred)
        y_pred = ops.cast(y_pred, "float32")
        affinity = boundary_affinity(ops.sigmoid(y_pred[..., 0]), self.radius)
        alike, unlike = -ops.log(affinity + TINY), -ops.log(1 + TINY - affinity)
        boundary = (mean_over(alike, background) + mean_over(alike, foreground)) / 4
        boundary = boundary + mean_over(unlike, different) / 2
        start, end = pairs_of(y_pred[..., 1:], self.radius)
        moved = start - end  # (B, D, N, 2)
        expected = np.array(directions(self.radius), np.float32)[:, None, :]
        one_centre = ops.mean(ops.abs(moved - expected), axis=-1)
        unmoved = ops.mean(ops.abs(moved), axis=-1)
        return boundary + (mean_over(one_centre, foreground) + mean_over(unmoved, background)) / 2
