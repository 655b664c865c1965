"""Gradients of scores by the explained features: the one place that takes them."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import tensorflow as tf

from wsseg.errors import InputError
from wsseg.explainers.network import Network

if TYPE_CHECKING:
    from wsseg.explainers.core import Score

SCALE = 64.0
"""Lifts a mixed-precision head's gradients above float16's smallest numbers; a power of 2 loses no digit."""


def head_gradients(network: Network, inputs: Sequence[Any], score: "Score") -> tuple[tf.Tensor, tf.Tensor]:
    """Differentiate scores by the explained layer's features, through the head only.

    The network runs once, forward, for all scores; each score then has a backward pass of its own, through the head.

    Args:
        network: The model, split at the layer.
        inputs: Its inputs, flat.
        score: Outputs -> `(B, T)`.

    Returns:
        The features `(B, h, w, C)` and the gradients `(B, T, h, w, C)`, float32.

    Raises:
        InputError: The scores do not depend on the layer.
    """
    features = tf.cast(network.features(inputs), tf.float32)
    gradients = differentiate(lambda x: score(network.head(x, inputs)), features, network)
    return features, gradients


def differentiate(function: Any, position: tf.Tensor, network: Network) -> tf.Tensor:
    """Differentiate `(B, T)` scores by a tensor of the same batch.

    Args:
        function: The tensor -> scores `(B, T)`, T known.
        position: `(B, ...)` float32, where to differentiate.
        network: Named in the error.

    Returns:
        `(B, T, ...)` float32.
    """
    with tf.GradientTape(persistent=True, watch_accessed_variables=False) as tape:
        tape.watch(position)
        scores = tf.unstack(function(position) * SCALE, axis=1)
    gradients = [tape.gradient(score, position) for score in scores]
    if any(gradient is None for gradient in gradients):
        raise InputError(
            f"the score to explain does not depend on `{network.layer}` of model `{network.model.name}`; choose a "
            "layer that the output is computed from, or another output"
        )
    return tf.stack(gradients, axis=1) / SCALE


def positive(values: tf.Tensor) -> tf.Tensor:
    """Return the positive part; NaN stays NaN, where TensorFlow's ReLU makes it 0 on a CPU."""
    return values * tf.cast(values > 0, values.dtype)
