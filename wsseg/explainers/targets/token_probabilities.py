"""Log-probabilities of words: what captions' targets are made of."""

from typing import Any

import keras

from wsseg.errors import InputError
from wsseg.explainers.network import Outputs


def log_probabilities(outputs: Outputs, output: str | int | None, logits: bool) -> Any:
    """Return the log-probabilities of all words at all steps.

    Args:
        outputs: Of the model.
        output: Name or position of the words' output `(B, steps, vocabulary)`.
        logits: True where the model gives scores of any size, or ends in a softmax that can be told; False where its
            output is probabilities.

    Returns:
        `(B, steps, vocabulary)` float32.
    """
    ops = keras.ops
    words = outputs.one(output, logits)
    check_words(words.shape)
    words = ops.cast(words, "float32")
    return ops.log_softmax(words, axis=-1) if logits else ops.log(ops.maximum(words, 1e-37))


def check_words(shape: Any) -> None:
    """Refuse an output that is not `(B, steps, vocabulary)`."""
    if len(shape) != 3:
        raise InputError(
            f"the words of a caption need an output (batch, steps, vocabulary), and this one is {tuple(shape)}; say "
            "which with `output=`; an output of one word an image, (batch, vocabulary), is explained by ClassScores"
        )
