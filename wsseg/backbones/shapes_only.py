"""Build only the structure of a network, without values for its weights."""

from collections.abc import Iterator
from contextlib import contextmanager

import keras
from keras.src.backend.common import global_state  # has no public name

WAITING = (
    "uninitialized_variables"  # Keras' list of variables to which the end of any later scope gives values
)


@contextmanager
def shapes_only() -> Iterator[None]:
    """Build layers inside this context with weights that have a shape, but no memory and no values.

    The parameters of such a network can be counted, and it can be built again from its config, but it can't be called.
    Keras' own scope is not enough: it lists its variables, and the next network that is built would allocate them.

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
