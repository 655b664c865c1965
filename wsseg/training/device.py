"""Set the process up as the recipe says: precision, determinism, XLA."""

import keras
import tensorflow as tf

from wsseg.recipe import Recipe


def prepare(recipe: Recipe) -> None:
    """Set precision and deterministic operations for this process, and forget earlier models' names.

    Deterministic kernels are what makes a resumed training equal an undisturbed one; on a CPU they cost
    nothing measurable. With them Keras compiles nothing by XLA, so `jit: true` does without.
    """
    keras.backend.clear_session()
    keras.config.set_dtype_policy(recipe.precision)
    if not recipe.jit:
        tf.config.experimental.enable_op_determinism()
