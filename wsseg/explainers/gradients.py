"""Gradients of scores with respect to the explained features; all explainers take them from here."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import tensorflow as tf

from wsseg.errors import InputError
from wsseg.explainers.network import Network

if TYPE_CHECKING:
    from wsseg.explainers.score import Score

SCALE = 64.0
"""Loss scale that keeps a mixed-precision head's gradients above float16's smallest numbers; a power of 2 is exact."""


def head_gradients(network: Network, inputs: Sequence[Any], score: "Score") -> tuple[tf.Tensor, tf.Tensor]:
    """Differentiate scores with respect to the explained layer's features, through the head only.

    One forward pass serves all scores; each score then has its own backward pass through the head.

    Args:
        network: The model, split at the layer.
        inputs: The model's inputs as a flat list.
        score: Function from the model's outputs to scores `(B, T)`.

    Returns:
        The features `(B, h, w, C)` and the gradients `(B, T, h, w, C)`, float32.

    Raises:
        InputError: The scores do not depend on the layer.
    """
    features = tf.cast(network.features(inputs), tf.float32)
    gradients = differentiate(lambda x: score(network.head(x, inputs)), features, network)
    return features, gradients


def differentiate(function: Any, position: tf.Tensor, network: Network) -> tf.Tensor:
    """Differentiate `(B, T)` scores with respect to a tensor of the same batch.

    Args:
        function: Function from the tensor to scores `(B, T)`, with T known at trace time.
        position: `(B, ...)` float32, the tensor's value at which to differentiate.
        network: The model, named in the error message.

    Returns:
        `(B, T, ...)` float32.

    Raises:
        InputError: The scores do not depend on the tensor.
    """
    with tf.GradientTape(persistent=True, watch_accessed_variables=False) as tape:
        tape.watch(position)
        scores = function(position)
        if None not in (scores.shape[0], position.shape[0]) and scores.shape[0] != position.shape[0]:
            raise InputError(
                f"model `{network.model.name}` gives {scores.shape[0]} rows of output for {position.shape[0]} rows at "
                f"`{network.layer}`, so no row belongs to one image; explain a model with one row for each image"
            )
        scores = tf.unstack(scores * SCALE, axis=1)
    gradients = [tape.gradient(score, position) for score in scores]
    if any(gradient is None for gradient in gradients):
        raise without_gradient(network)
    return tf.stack(gradients, axis=1) / SCALE


def without_gradient(network: Network) -> InputError:
    """Return the error for a score that has no gradient with respect to the explained layer or image."""
    return InputError(
        f"the score to explain does not depend on `{network.layer}` of model `{network.model.name}`; choose a "
        "layer that the output is computed from, or another output; a rounding or a cast to whole numbers on the way "
        "has no gradient either (`occlusion` and `rise` need none)"
    )


def positive(values: tf.Tensor) -> tf.Tensor:
    """Return the positive part; NaN stays NaN (TensorFlow's ReLU turns it into 0 on a CPU)."""
    return values * tf.cast(values > 0, values.dtype)
