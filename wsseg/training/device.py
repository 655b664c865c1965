"""Set up the process for a recipe: precision, determinism, XLA."""

import keras
import tensorflow as tf

from wsseg.recipe import Recipe


def prepare(recipe: Recipe) -> None:
    """Set precision and deterministic operations for this process, and clear the names of earlier models.

    With deterministic kernels, a resumed training equals an uninterrupted one; on a CPU they have no measurable cost.
    With them Keras compiles nothing by XLA, so `jit: true` does not use them.
    """
    keras.backend.clear_session()
    keras.config.set_dtype_policy(recipe.precision)
    if not recipe.jit:
        tf.config.experimental.enable_op_determinism()
