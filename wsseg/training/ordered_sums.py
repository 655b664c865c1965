"""Sums of gradients in a fixed order.

Where a tensor is used three times or more, TensorFlow sums its gradients with `AddN`, whose order of summation on a CPU
depends on which of the inputs' buffers is free at that moment: on a race between threads, also under deterministic
operations (TensorFlow 2.21). A network with batch normalisation has such a sum in each of them, so two trainings of the
same seed differ in the last digits of every step, and soon in the third of the score. Sums of two have one order only.
"""

import functools
import importlib
from collections.abc import Sequence
from typing import Any

import tensorflow as tf


@functools.cache
def order_sums() -> bool:
    """Let the gradients of this process be summed two at a time.

    Grappler's arithmetic optimisation is turned off, because it joins such sums to one `AddN` again.

    Returns:
        Whether it was possible: the way is not part of TensorFlow's public interface, so another version may lack it.
    """
    try:
        backprop = importlib.import_module("tensorflow.python.eager.backprop")
        runtime = importlib.import_module("tensorflow.python.pywrap_tfe")
        ordered = functools.partial(_summed, backprop._aggregate_grads)
        runtime.TFE_Py_RegisterVSpace(backprop._default_vspace._replace(aggregate_fn=ordered))
    except (ImportError, AttributeError, TypeError):
        return False
    tf.config.optimizer.set_experimental_options({"arithmetic_optimization": False})
    return True


def _summed(whole: Any, gradients: Sequence[Any]) -> Any:
    """Sum gradients from the first to the last; sparse ones as TensorFlow does."""
    if all(isinstance(gradient, tf.Tensor) for gradient in gradients):
        return functools.reduce(tf.add, gradients)
    return whole(gradients)
