"""How often a network is traced: counted inside a layer of it."""

from collections.abc import Iterator
from contextlib import contextmanager

import keras
import tensorflow as tf


@contextmanager
def traces_of(model: keras.Model) -> Iterator[list[tuple]]:
    """Give a list of the batch shapes at which the model's first convolution is traced inside the context."""
    layer = next(x for x in model._flatten_layers() if isinstance(x, keras.layers.Conv2D))
    call, shapes = layer.call, []

    def counted(inputs, *args, **kwargs):
        if not tf.executing_eagerly():
            shapes.append(tuple(inputs.shape))
        return call(inputs, *args, **kwargs)

    layer.__dict__["call"] = counted  # past Keras' own __setattr__, which tracks layers
    try:
        yield shapes
    finally:
        del layer.__dict__["call"]
