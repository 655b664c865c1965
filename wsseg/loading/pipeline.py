"""The start of every tf.data pipeline: elements read in parallel, in order, with autotuning off.

Autotuning is off because it delays the end of an epoch. Its thread sleeps for 10 ms, then 20 ms, 40 ms and so on; in
TensorFlow 2.21 the end of an iterator often waits until that thread wakes up (`benchmarks/epoch_end.py`). Parallel
calls and buffers are stated instead, so there is nothing left to tune.
"""

import contextlib
import os
import re
from collections.abc import Callable, Iterator
from typing import Any

import tensorflow as tf

from wsseg.errors import InputError

MAX_PARALLEL_CALLS = 16
"""Largest number of elements that are read at once: each needs memory. tf.data uses the same limit without a tuner."""

REFUSED = re.compile(r"InputError: (.+?)\nTraceback \(most recent call last\)", re.DOTALL)
"""The text of an `InputError` in that of TensorFlow's error, as `tf.numpy_function` writes it."""


def read_in_order(elements: Any, read: Callable, parallel_calls: int | None = None) -> tf.data.Dataset:
    """Read elements in parallel and return them in their order.

    Args:
        elements: Array `(N, ...)`, or a nested structure of arrays with the same N; `read` gets one row of each.
        read: Function of tensors that reads one element, traced as a graph.
        parallel_calls: Number of elements that are read at once; None for one per available core.

    Returns:
        Dataset of N elements. Datasets derived from it (`map`, `batch`, `prefetch`) keep its options.
    """
    options = tf.data.Options()
    options.autotune.enabled = False
    data = tf.data.Dataset.from_tensor_slices(elements).with_options(options)
    calls = parallel_calls or min(available_cores(), MAX_PARALLEL_CALLS)
    return data.map(read, num_parallel_calls=calls, deterministic=True)


@contextlib.contextmanager
def readers_errors() -> Iterator[None]:
    """Raise the `InputError` of a function that reads an element, which TensorFlow wraps in an error of the graph.

    For the code that takes elements of a pipeline: an image may be deleted or damaged while it is trained on.

    Raises:
        InputError: What the reading function said.
    """
    try:
        yield
    except tf.errors.OpError as error:
        found = REFUSED.search(error.message or "")
        if found is None:
            raise
        raise InputError(found[1]) from error


def available_cores() -> int:
    """Return the number of cores that this process may use."""
    affinity = getattr(os, "sched_getaffinity", None)  # Linux only
    return len(affinity(0)) if affinity else os.cpu_count() or 1
