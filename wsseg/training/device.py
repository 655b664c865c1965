"""Set the process up as the recipe says: precision, determinism, XLA."""

import keras
import tensorflow as tf

from wsseg.recipe import Recipe


def prepare(recipe: Recipe) -> None:
    """Set precision and deterministic operations for this process, and forget earlier models' names.

    Deterministic kernels are what makes a resumed training equal an undisturbed one; on a CPU they cost
    nothing measurable.
    """
    keras.backend.clear_session()
    keras.config.set_dtype_policy(recipe.precision)
    tf.config.experimental.enable_op_determinism()


def use_jit(recipe: Recipe) -> bool:
    """Tell whether to compile training steps with XLA: on a GPU by default, since on a CPU it is slower."""
    if recipe.jit == "auto":
        return bool(tf.config.list_physical_devices("GPU"))
    return recipe.jit
