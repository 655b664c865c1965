"""The base class of methods that follow a vision transformer's attention scores from block to block."""

from collections.abc import Sequence
from typing import Any

import keras
import tensorflow as tf

from wsseg.errors import InputError
from wsseg.explainers.attention_scores import softmaxes
from wsseg.explainers.core import Explainer
from wsseg.explainers.gradients import SCALE
from wsseg.explainers.networks import network_for
from wsseg.explainers.score import Score
from wsseg.explainers.targets import Target
from wsseg.explainers.token_network import ANY_MODEL, TokenNetwork
from wsseg.explainers.token_site import NoTokensError

CAMS = "`grad_cam` explains spatial layers and tokens"


class AttentionMaps(Explainer):
    r"""A map from the attention scores of all blocks.

    Let $A_l$ be the scores of block l after its softmax, heads x tokens x tokens, a row for each token that asks. A
    method turns them into one matrix a block and leaves only that to write (`matrix`, `step`). The matrices are
    multiplied from the last block to the first, starting at the tokens that the score is computed from: those whose
    row in the last $A_l$ gets a gradient that is not 0 everywhere; several have equal weights. That is the class token
    in a ViT, class and distillation token in a DeiT, all patches behind a mean over tokens. If the head itself pools
    tokens by attention, with one question to all tokens, its scores are the first step, and stand for these rows.

    Scores are found in the model's graph by what the operations are (`wsseg.explainers.attention_scores`): those of
    `keras.layers.MultiHeadAttention`, of keras-hub, and of one's own layers that call a softmax.

    Args:
        model: A model with attention over all tokens of an image in each block.
        layer: Leave this None: all blocks are read.
        output: Name or position of the output to explain, for a model with several outputs.
        image: See `Explainer`.
        reshape: See `Explainer`.

    Attributes:
        keeps_start: Whether the row of the identity that the blocks start from stays in the map.

    Raises:
        InputError: The model has no such attention: none at all, within windows, from tokens to others, between
            numbers of tokens that differ, or in a part of the graph that can't be read.
    """

    keeps_start = True

    def __init__(
        self,
        model: keras.Model,
        layer: Any = None,
        output: str | int | None = None,
        *,
        image: str | int | None = None,
        reshape: Any = None,
    ):
        if layer is not None:
            raise InputError(
                f"{type(self).__name__} reads the attention of all blocks; remove `layer` (got {layer!r})"
            )
        super().__init__(model, None, output, image=image, reshape=reshape)
        if self.network.analysed:
            self._check()

    def split(self, model: keras.Model, layer: Any, output: Any, reshape: Any, image: Any) -> TokenNetwork:
        """Split the model at the tokens of its last attention."""
        try:
            base = network_for(model, None, output, at_layer=False, image=image)
            return TokenNetwork(base, reshape=reshape)
        except NoTokensError as error:
            raise self._refusal(f"model `{model.name}` has no attention over tokens") from error

    def matrix(self, scores: tf.Tensor, gradients: tf.Tensor) -> tf.Tensor:
        """The method's formula.

        Args:
            scores: `(B, heads, N, N)` float32, one block's attention scores.
            gradients: The score's gradients with respect to them, of the same shape.

        Returns:
            `(B, N, N)`.
        """
        raise TypeError(f"{type(self).__name__} must define `matrix`")

    def step(self, row: tf.Tensor, matrix: tf.Tensor) -> tf.Tensor:
        """Take rows `(B, N)` one block further towards the image."""
        raise TypeError(f"{type(self).__name__} must define `step`")

    def pooled(self, scores: tf.Tensor, gradients: tf.Tensor) -> tf.Tensor:
        """Turn the scores of a pooling head, and their gradients, both `(B, heads, 1, N)`, into a row `(B, N)`."""
        raise TypeError(f"{type(self).__name__} must define `pooled`")

    def prepared(self, images: Any, targets: Any) -> tuple[list[Any], Target, bool]:
        """Check the user's images and targets; the first images show the attention, if their size was unknown."""
        try:
            found = super().prepared(images, targets)
        except NoTokensError as error:
            raise self._refusal(f"model `{self.network.model.name}` has no attention over tokens") from error
        self._check()
        return found

    def maps(self, inputs: Sequence[Any], score: Score) -> tf.Tensor:
        """Read the attention scores, differentiate, and go through the blocks: `(B, T, h, w)`."""
        graph = tf.compat.v1.get_default_graph()
        before = len(softmaxes(graph))
        outputs = self.network.outputs(inputs)
        found = softmaxes(graph)[before:]
        attention = self.network.attention
        if len(found) != attention.softmaxes:
            raise self._refusal(
                f"model `{self.network.model.name}` calls its attention differently each time"
            )
        numbers = [*attention.blocks, *attention.pooling]
        scores = [found[number].outputs[0] for number in numbers]
        rows = [self._row(scores, one) for one in tf.unstack(score(outputs) * SCALE, axis=1)]
        return self.network.layout.cells_of_rows(tf.stack(rows, axis=1))

    def _row(self, scores: Sequence[Any], score: tf.Tensor) -> tf.Tensor:
        gradients = tf.gradients(score, list(scores), unconnected_gradients="zero")
        count = self.network.layout.count
        pairs = [
            (self._by_head(a, count), self._by_head(g, count) / SCALE) for a, g in zip(scores, gradients)
        ]
        number = len(self.network.attention.blocks)
        blocks, pooling = pairs[:number], pairs[number:]
        if pooling:
            start = self.pooled(*pooling[0])
        else:
            read = tf.cast(tf.reduce_any(blocks[-1][1] != 0, axis=(1, 3)), tf.float32)
            start = tf.math.divide_no_nan(read, tf.reduce_sum(read, axis=1, keepdims=True))
        row = start
        for one, gradient in reversed(blocks):
            row = self.step(row, self.matrix(one, gradient))
        return row if pooling or self.keeps_start else row - start

    @staticmethod
    def _by_head(values: tf.Tensor, count: int) -> tf.Tensor:
        values = tf.cast(values if len(values.shape) == 4 else values[:, None], tf.float32)
        return tf.ensure_shape(values, [None, None, None, count])

    def _check(self) -> None:
        attention, name = self.network.attention, self.network.model.name
        if attention.others:
            raise self._refusal(f"model `{name}` has {attention.others}")
        if not attention.blocks:
            raise self._refusal(f"no attention scores (batch, heads, N, N) can be read in model `{name}`")

    def _refusal(self, reason: str) -> InputError:
        return InputError(
            f"{reason}, and {type(self).__name__} needs attention over all tokens of an image in each block; "
            f"{CAMS}; {ANY_MODEL}"
        )
