"""Set up the process for a recipe: precision, determinism, XLA."""

import keras
import tensorflow as tf

from wsseg.recipe import Recipe
from wsseg.training.ordered_sums import order_sums


def prepare(recipe: Recipe) -> None:
    """Set precision and deterministic operations for this process, and clear the names of earlier models.

    With deterministic kernels, and gradients that are summed in order, a resumed training equals an uninterrupted one
    on the same machine; on a CPU they have no measurable cost. Keras compiles nothing by XLA with them, so `jit: true`
    does not use them.
    """
    keras.backend.clear_session()
    keras.config.set_dtype_policy(recipe.precision)
    if not recipe.jit:
        tf.config.experimental.enable_op_determinism()
        order_sums()
