"""Target for image captioning models: the log-probability of one word of a caption."""

from collections.abc import Sequence
from typing import Any

import keras

from wsseg.explainers.network import Outputs
from wsseg.explainers.targets.rows import check_below, index_rows, repeated
from wsseg.explainers.targets.target import Target
from wsseg.explainers.targets.token_probabilities import check_words, log_probabilities


class CaptionToken(Target):
    r"""The log-probability of a word at a step, $\log p(w_s = v \mid image, w_{<s})$.

    The output must be `(B, steps, vocabulary)`. If the model takes the previous words as an input (teacher forcing),
    give them with the images; the map then explains the next word. For one map per word, give a list of targets.
    For explainers that use the model's own outputs, the score is the probability.

    Args:
        step: Position of the word, from 0; or `(B,)`, one per image.
        token: Number of the word in the vocabulary; or `(B,)`, one per image.
        output: Name or position of the output, for a model with several outputs.
        logits: True if the model gives logits, or ends in a softmax that can be found; False if its output is
            probabilities (a subclassed model with a softmax inside).

    Raises:
        InputError: The output has no such step or word.

    References:
        Selvaraju et al., Grad-CAM, ICCV 2017, section 7 †: the gradient of a caption's log-probability; see `Caption`
        for the score of the whole caption. († quoted from memory.)
    """

    def __init__(self, step: Any, token: Any, output: str | int | None = None, logits: bool = True):
        self.step, self.token = index_rows("step", step), index_rows("token", token)
        self.output, self.logits = output, logits
        self.arrays = (self.step, self.token)

    def check(self, outputs: Outputs, default: str | int | None = None) -> None:
        """Raise an error if the output has no such step or word."""
        self._check(outputs.one(default if self.output is None else self.output, logits=False).shape)

    def evaluate(self, outputs: Outputs, arrays: Sequence[Any], own: bool, default: str | int | None) -> Any:
        """Return the log-probability `(B, 1)`, or the probability if `own`."""
        ops = keras.ops
        words = outputs.one(default if self.output is None else self.output, self.logits)
        self._check(words.shape)
        step, token = (repeated(x, ops.shape(words)[0]) for x in arrays)
        at_step = ops.take_along_axis(words, step[:, None, None], axis=1)
        score = log_probabilities(at_step, token[:, None], self.logits)
        return ops.exp(score) if own else score

    def _check(self, shape: Any) -> None:
        check_words(shape)
        check_below("step", self.step, shape[1], "steps")
        check_below("token", self.token, shape[2], "words")
