"""Log-probabilities of words, for the targets of captions."""

from typing import Any

import keras

from wsseg.errors import InputError


def log_probabilities(words: Any, tokens: Any, logits: bool) -> Any:
    r"""Return the log-probability of one word at each step.

    For logits $z$ it is $-\log(1 + e^{-d})$ with $d = z_v - \log \sum_{u \neq v} e^{z_u}$. This equals the log-softmax,
    but its gradient rounds better. If the model is confident, the log-softmax's gradient becomes 0 for the word itself
    but not for the other words, and maps would only show the other words.

    Args:
        words: `(B, S, V)` scores of the V words at each of S steps.
        tokens: `(B, S)` int32: number of the word at each step, from 0.
        logits: True if `words` are logits, False if they are probabilities.

    Returns:
        `(B, S)` float32.
    """
    ops = keras.ops
    words = ops.cast(words, "float32")
    mine = ops.take_along_axis(words, tokens[..., None], axis=2)[..., 0]
    if not logits:
        return ops.log(ops.maximum(mine, 1e-37))
    itself = ops.equal(ops.arange(words.shape[2], dtype="int32"), tokens[..., None])
    others = ops.logsumexp(ops.where(itself, -float("inf"), words), axis=2)
    return ops.log_sigmoid(mine - others)


def check_words(shape: Any) -> None:
    """Raise an error if an output is not `(B, steps, vocabulary)`."""
    if len(shape) != 3 or shape[2] in (None, 1):
        raise InputError(
            f"the words of a caption need an output (batch, steps, vocabulary), but this one is {tuple(shape)}; choose "
            "one with `output=`; use ClassScores for an output of one word per image, (batch, vocabulary)"
        )
