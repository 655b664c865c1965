"""Eigen-CAM: the strongest pattern of the features, independent of the class."""

from collections.abc import Sequence
from typing import Any

import tensorflow as tf

from wsseg.explainers.core import Explainer
from wsseg.explainers.score import Score


class EigenCAM(Explainer):
    r"""Projection of the features on their first principal direction (Muhammad & Yeasin 2020, equations 1 to 3 †).

    $L = O V_1$, with the features as a matrix $O = U \Sigma V^T$ of cells times channels, not centred. It needs no
    gradient and no class: every target gets the same map. The sign of a singular vector is arbitrary; the map takes
    the sign that makes its sum positive. $O V_1 = \sigma_1 U_1$ is computed from the smaller of the two Gram matrices.

    References:
        Muhammad & Yeasin, Eigen-CAM: Class Activation Map using Principal Components, IJCNN 2020. († quoted from
        memory.)
    """

    def maps(self, inputs: Sequence[Any], score: Score) -> tf.Tensor:
        """Project every cell on the first right singular vector."""
        features = tf.cast(self.network.features(inputs), tf.float32)
        shape = tf.shape(features)
        cells = tf.reshape(features, [shape[0], shape[1] * shape[2], features.shape[-1]])
        projected = tf.cond(
            shape[1] * shape[2] < shape[3], lambda: _from_cells(cells), lambda: _from_channels(cells)
        )
        projected *= tf.where(tf.reduce_sum(projected, axis=1, keepdims=True) < 0, -1.0, 1.0)
        maps = tf.reshape(projected, [shape[0], 1, shape[1], shape[2]])
        count = score(self.network.head(features, inputs)).shape[1]  # only its shape: the head is not run
        return tf.repeat(maps, count, axis=1)


def _from_cells(cells: tf.Tensor) -> tf.Tensor:
    """Return the projection `(B, N)` of cells `(B, N, C)`, by the Gram matrix of the cells."""
    values, vectors = tf.linalg.eigh(tf.matmul(cells, cells, transpose_b=True))
    return vectors[..., -1] * tf.sqrt(tf.maximum(values[..., -1:], 0))


def _from_channels(cells: tf.Tensor) -> tf.Tensor:
    """Return the projection `(B, N)` of cells `(B, N, C)`, by the Gram matrix of the channels."""
    _, vectors = tf.linalg.eigh(tf.matmul(cells, cells, transpose_a=True))
    return tf.einsum("bnc,bc->bn", cells, vectors[..., -1])
