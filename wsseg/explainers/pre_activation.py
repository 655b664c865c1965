"""Layers without their final activation: they compute with the weights that the layer has at the moment of the call."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import keras
import numpy as np
import tensorflow as tf


class PreActivation(keras.layers.Layer):
    """A layer's output before an activation; the layer itself is called, so its weights are shared, not copied.

    Whatever replaces the weights, `fit`, `load_weights` or `quantize`, is seen by the next call.

    Args:
        operation: The layer.
        part: The layer that has the activation: `operation` itself or a layer inside it, as in a wrapper.
    """

    def __init__(self, operation: keras.layers.Layer, part: keras.layers.Layer):
        super().__init__(name=f"{operation.name}_logits", autocast=False)
        self.operation, self.part = operation, part

    def call(self, *args: Any, **kwargs: Any) -> Any:
        """Call the layer without the activation."""
        with without_activation(self.part):
            return self.operation(*args, **kwargs)


@contextmanager
def without_activation(part: keras.layers.Layer) -> Iterator[None]:
    """Take the activation of a layer away inside the context; a layer that is an activation returns its input."""
    name = "call" if isinstance(part, keras.layers.Softmax) else "activation"
    had, kept = name in part.__dict__, part.__dict__.get(name)
    # Bypasses Keras' own __setattr__, which tracks layers and variables.
    part.__dict__[name] = _unchanged
    try:
        yield
    finally:
        if had:
            part.__dict__[name] = kept
        else:
            del part.__dict__[name]


def _unchanged(values: Any, *args: Any, **kwargs: Any) -> Any:
    return values


class ArrangedLogits(keras.layers.Layer):
    """The logits of several heads, in the order of the outputs that are made from them.

    Args:
        index: `(K,)` position of each logit among the values of all heads, one head after the other.
        scale: `(K,)` factors of the logits.
        offset: `(K,)` numbers added to them.
        shape: Shape of the output without the batch axis.
    """

    def __init__(self, index: np.ndarray, scale: np.ndarray, offset: np.ndarray, shape: Sequence[int]):
        super().__init__(autocast=False)
        self.index, self.scale, self.offset, self.shape = index, scale, offset, tuple(shape)

    def call(self, heads: Sequence[Any]) -> Any:
        """Join, order and scale the logits."""
        values = tf.concat([tf.reshape(x, (tf.shape(x)[0], -1)) for x in heads], axis=1)
        if not np.array_equal(self.index, np.arange(values.shape[1] or 0)):
            values = tf.gather(values, self.index.astype(np.int32), axis=1)
        if (self.scale != 1).any():
            values = values * tf.constant(self.scale, values.dtype)
        if self.offset.any():
            values = values + tf.constant(self.offset, values.dtype)
        return tf.reshape(values, (tf.shape(values)[0], *self.shape))

    def compute_output_spec(self, heads: Sequence[Any]) -> Any:
        """Return the shape of the outputs."""
        return keras.KerasTensor((heads[0].shape[0], *self.shape), heads[0].dtype)


class AveragedLogits(keras.layers.Layer):
    """The mean of several members' logits.

    Args:
        weights_of: `(n,)` weight of each member.
        shape: Shape of the output without the batch axis.
    """

    def __init__(self, weights_of: np.ndarray, shape: Sequence[int]):
        super().__init__(autocast=False)
        self.weights_of, self.shape = [float(x) for x in weights_of], tuple(shape)

    def call(self, members: Sequence[Any]) -> Any:
        """Sum the weighted logits."""
        total = sum(
            weight * tf.reshape(x, (tf.shape(x)[0], -1)) for weight, x in zip(self.weights_of, members)
        )
        return tf.reshape(total, (tf.shape(total)[0], *self.shape))

    def compute_output_spec(self, members: Sequence[Any]) -> Any:
        """Return the shape of the outputs."""
        return keras.KerasTensor((members[0].shape[0], *self.shape), members[0].dtype)
