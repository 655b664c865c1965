"""Attention relevance: attention scores weighted by the score's gradients, accumulated through all blocks."""

import tensorflow as tf

from wsseg.explainers.attention_maps import AttentionMaps
from wsseg.explainers.gradients import positive


class AttentionRelevance(AttentionMaps):
    r"""Class-specific relevance of tokens, by attention and its gradients (Chefer et al. 2021, equations 5 and 6).

    $\bar{A}_l = E_h[(\nabla A_l \odot A_l)^+]$, with $\nabla A_l = \partial y / \partial A_l$ for the score y and the
    mean over the heads; $R \leftarrow R + \bar{A}_l R$ from the first block to the last, starting with $R = I$. The map
    is the row of the tokens that the score is computed from (see `AttentionMaps`), less that row of I, in the columns
    of tokens with a place. For a class token, I does not show in these columns, and the map is the paper's. Behind a
    mean over tokens, I would add the same to all cells.

    Args:
        model: See `AttentionMaps`.
        layer: Leave this None: all blocks are read.
        output: Name or position of the output to explain, for a model with several outputs.
        reshape: See `Explainer`.

    Raises:
        InputError: See `AttentionMaps`.

    References:
        Chefer, Gur and Wolf, Generic Attention-model Explainability for Interpreting Bi-Modal and Encoder-Decoder
        Transformers, ICCV 2021.
    """

    keeps_start = False

    def matrix(self, scores: tf.Tensor, gradients: tf.Tensor) -> tf.Tensor:
        """Return the heads' mean of the positive products."""
        return tf.reduce_mean(positive(scores * gradients), axis=1)

    def step(self, row: tf.Tensor, matrix: tf.Tensor) -> tf.Tensor:
        """Multiply and add."""
        return row + tf.einsum("bn,bnm->bm", row, matrix)

    def pooled(self, scores: tf.Tensor, gradients: tf.Tensor) -> tf.Tensor:
        """Return the heads' mean of the positive products."""
        return tf.reduce_mean(positive(scores * gradients), axis=1)[:, 0]
