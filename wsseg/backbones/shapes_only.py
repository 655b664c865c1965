"""Build a network for its structure alone, without the values of its weights."""

from collections.abc import Iterator
from contextlib import contextmanager

import keras
from keras.src.backend.common import global_state  # has no public name

WAITING = "uninitialized_variables"  # Keras' list of what the end of any later scope would give values


@contextmanager
def shapes_only() -> Iterator[None]:
    """Inside, layers are built with weights that have a shape and neither memory nor values.

    Their networks can be counted, and made anew from their config; they can't be called. Leaving Keras' own scope
    without values would not be enough: it notes its variables, and the next network built would allocate them.

    Example:
        >>> with shapes_only():
        ...     dense = keras.layers.Dense(30000)
        ...     dense.build((None, 30000))
        >>> dense.count_params()
        900030000
    """
    before = list(global_state.get_global_attribute(WAITING) or [])
    try:
        with keras.StatelessScope(initialize_variables=False):
            yield
    finally:
        global_state.set_global_attribute(WAITING, before)
