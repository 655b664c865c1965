"""Target for image captioning models: the log-probability of a whole caption."""

from collections.abc import Sequence
from typing import Any

import keras
import numpy as np

from wsseg.errors import InputError
from wsseg.explainers.network import Outputs
from wsseg.explainers.targets.rows import check_below, repeated
from wsseg.explainers.targets.target import Target
from wsseg.explainers.targets.token_probabilities import check_words, log_probabilities


class Caption(Target):
    r"""The log-probability of a caption, $\sum_s \log p(w_s \mid image, w_{<s})$ (Selvaraju et al. 2017, section 7 †).

    The output must be `(B, steps, vocabulary)`. For explainers that use the model's own outputs, the score is the
    probability of the caption.

    Args:
        tokens: `(B, S)` word numbers of the first S steps, or `(S,)` for all images; -1 at steps that do not
            count (after the end).
        output: Name or position of the output, for a model with several outputs.
        logits: See `CaptionToken`.

    Raises:
        InputError: The output has no such steps or words, or a caption has no word that counts.

    References:
        Selvaraju et al., Grad-CAM: Visual Explanations from Deep Networks, ICCV 2017. († quoted from memory.)
    """

    def __init__(self, tokens: Any, output: str | int | None = None, logits: bool = True):
        tokens = np.atleast_2d(np.asarray(tokens))
        if tokens.ndim != 2 or tokens.dtype.kind not in "iu" or tokens.min(initial=0) < -1:
            raise InputError(
                f"`tokens` must be (B, S) whole numbers, -1 for steps without a word; got {tokens.shape} {tokens.dtype}"
            )
        empty = (tokens < 0).all(axis=1)
        if empty.any():
            raise InputError(f"`tokens` has no word in caption number {np.argmax(empty)}; remove this one")
        self.output, self.logits, self.arrays = output, logits, (tokens.astype(np.int32),)

    def check(self, outputs: Outputs, default: str | int | None = None) -> None:
        """Raise an error if the output has no such steps or words."""
        self._check(outputs.one(default if self.output is None else self.output, logits=False).shape)

    def evaluate(self, outputs: Outputs, arrays: Sequence[Any], own: bool, default: str | int | None) -> Any:
        """Return the log-probability `(B, 1)`, or the probability if `own`."""
        ops = keras.ops
        words = outputs.one(default if self.output is None else self.output, self.logits)
        self._check(words.shape)
        tokens = repeated(arrays[0], ops.shape(words)[0])
        each = log_probabilities(words[:, : tokens.shape[1]], ops.maximum(tokens, 0), self.logits)
        score = ops.sum(ops.where(tokens >= 0, each, 0.0), axis=1, keepdims=True)
        return ops.exp(score) if own else score

    def _check(self, shape: Any) -> None:
        check_words(shape)
        (tokens,) = self.arrays
        if shape[1] is not None and tokens.shape[1] > shape[1]:
            raise InputError(f"`tokens` has {tokens.shape[1]} steps, but the output has only {shape[1]}")
        check_below("tokens", tokens.ravel(), shape[2], "words")
