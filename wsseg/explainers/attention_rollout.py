"""Attention rollout: attention scores, multiplied through all blocks."""

from typing import Any

import keras
import tensorflow as tf

from wsseg.errors import InputError, nearest, require
from wsseg.explainers.attention_maps import AttentionMaps

FUSIONS = {"mean": tf.reduce_mean, "max": tf.reduce_max, "min": tf.reduce_min}
"""How the heads of a block become one matrix."""


class AttentionRollout(AttentionMaps):
    r"""Attention rollout (Abnar and Zuidema 2020, equation 1).

    $\hat{A}_l = norm(\frac{1}{2} \bar{A}_l + \frac{1}{2} I)$, with $\bar{A}_l$ the mean of the heads of block l, I for
    the residual connection, and each row divided by its sum; $R = \hat{A}_L \cdots \hat{A}_1$. The map is the row of
    the tokens that the score is computed from (see `AttentionMaps`), without the columns of tokens without a place. It
    knows no class: all classes of one output get the same map.

    The options are common changes of the method: another fusion of the heads, and scores set to 0 before I is added:
    the `discard` * N * N smallest of each image's $\bar{A}_l$ (equal ones stay).

    Args:
        model: See `AttentionMaps`.
        layer: Leave this None: all blocks are read.
        output: Name or position of the output to explain, for a model with several outputs.
        reshape: See `Explainer`.
        fusion: A key of `FUSIONS`.
        discard: Share of the scores of a block that is set to 0, in [0, 1).

    Raises:
        InputError: An option has an invalid value, or see `AttentionMaps`.

    References:
        Abnar and Zuidema, Quantifying Attention Flow in Transformers, ACL 2020.

    Example:
        >>> import numpy as np
        >>> image = keras.Input((16, 16, 3))
        >>> tokens = keras.layers.Reshape((16, 8))(keras.layers.Conv2D(8, 4, strides=4)(image))
        >>> tokens = keras.layers.Add()([tokens, keras.layers.MultiHeadAttention(2, 4)(tokens, tokens)])
        >>> logits = keras.layers.Dense(3)(keras.layers.GlobalAveragePooling1D()(tokens))
        >>> AttentionRollout(keras.Model(image, logits))(np.ones((1, 16, 16, 3)), [0]).shape
        (1, 16, 16)
    """

    def __init__(
        self,
        model: keras.Model,
        layer: Any = None,
        output: str | int | None = None,
        *,
        image: str | int | None = None,
        reshape: Any = None,
        fusion: str = "mean",
        discard: float = 0.0,
    ):
        if fusion not in FUSIONS:
            raise InputError(f"unknown `fusion` {fusion!r}; {nearest(str(fusion), FUSIONS)}")
        require("discard", discard, lambda share: 0 <= share < 1, "in [0, 1); try 0.9")
        super().__init__(model, layer, output, image=image, reshape=reshape)
        self.fusion, self.discard = fusion, discard

    def matrix(self, scores: tf.Tensor, gradients: tf.Tensor) -> tf.Tensor:
        """Fuse the heads, discard small scores, and add the residual connection."""
        fused = FUSIONS[self.fusion](scores, axis=1)
        count = scores.shape[-1]
        dropped = int(self.discard * count * count)
        if dropped:
            limit = tf.sort(tf.reshape(fused, [-1, count * count]), axis=1)[:, dropped]
            fused = tf.where(fused < limit[:, None, None], 0.0, fused)
        both = (fused + tf.eye(count)) / 2
        return both / tf.reduce_sum(both, axis=2, keepdims=True)

    def step(self, row: tf.Tensor, matrix: tf.Tensor) -> tf.Tensor:
        """Multiply."""
        return tf.einsum("bn,bnm->bm", row, matrix)

    def pooled(self, scores: tf.Tensor, gradients: tf.Tensor) -> tf.Tensor:
        """Fuse the heads."""
        return FUSIONS[self.fusion](scores, axis=1)[:, 0]
