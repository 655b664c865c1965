"""Log-probabilities of words: what captions' targets are made of."""

from typing import Any

import keras

from wsseg.errors import InputError


def log_probabilities(words: Any, tokens: Any, logits: bool) -> Any:
    r"""Return the log-probability of one word at each step.

    Of logits $z$ it is $-\log(1 + e^{-d})$ with $d = z_v - \log \sum_{u \neq v} e^{z_u}$. This is the log-softmax, but
    for rounding of its gradient: where the model is sure, that of the log-softmax becomes 0 for the word itself and not
    for the others, and maps would show these alone.

    Args:
        words: `(B, S, V)`: scores of the V words at each of S steps.
        tokens: `(B, S)` int32: the word at each step, from 0.
        logits: True where `words` are scores of any size, False where they are probabilities.

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
    """Refuse an output that is not `(B, steps, vocabulary)`."""
    if len(shape) != 3 or shape[2] in (None, 1):
        raise InputError(
            f"the words of a caption need an output (batch, steps, vocabulary), and this one is {tuple(shape)}; say "
            "which with `output=`; an output of one word an image, (batch, vocabulary), is explained by ClassScores"
        )
