"""A network as one graph for images of all sizes."""

from collections.abc import Callable
from functools import partial
from typing import Any

import keras
import tensorflow as tf


def one_trace(model: keras.Model) -> Callable[..., tf.Tensor]:
    """Return a function that runs a network at inference and is traced once, whatever the sizes of its inputs.

    Tracing takes far longer than a pass: for a feature pyramid on MobileNet 0.25, seconds for each new size. Sides
    that the network leaves open (`None`), the batch's among them, stay open in the graph.

    Args:
        model: A functional model with one output.

    Returns:
        Function of the model's inputs, in their order, as arrays or tensors -> the output.

    Example:
        >>> image = keras.Input((None, None, 3))
        >>> network = one_trace(keras.Model(image, keras.layers.Conv2D(2, 3, padding="same")(image)))
        >>> [tuple(network(tf.zeros((1, side, 9, 3))).shape) for side in (4, 5, 6)]
        [(1, 4, 9, 2), (1, 5, 9, 2), (1, 6, 9, 2)]
        >>> network.experimental_get_tracing_count()
        1
    """
    signature = [tf.TensorSpec(x.shape, x.dtype) for x in model.inputs]
    # A partial, since TensorFlow counts the traces of all functions with the same code together, and warns.
    return tf.function(partial(_run, model), input_signature=signature, autograph=False)


def _run(model: keras.Model, *inputs: Any) -> Any:
    return model(inputs[0] if len(inputs) == 1 else list(inputs), training=False)
