"""The calls of a model's layers and operations, recorded or changed while the model runs."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from typing import Any

import keras
import tensorflow as tf


@dataclass
class Call:
    """One call of a layer or operation.

    Attributes:
        operation: The layer or operation.
        number: Number of earlier calls of the same operation in this run.
        inputs: Its arguments, tensors and others, flattened.
        outputs: Its outputs, flattened.
        first, last: Range of the TensorFlow operations that the call has made: first <= number < last.
        path: Names of the operations inside which it was called, outermost first, and its own name.
    """

    operation: Any
    number: int
    inputs: list[Any]
    outputs: list[Any] = field(default_factory=list)
    first: int = 0
    last: int = 0
    path: tuple[str, ...] = ()

    def contains(self, operation: int) -> bool:
        """Return whether the call has made a TensorFlow operation."""
        return self.first <= operation < self.last


def parts_of(model: keras.Model) -> list[Any]:
    """Return the layers and operations of a model, at any depth, without its input layers."""
    found = {}
    models = [model, *model._flatten_layers(include_self=False)]
    for one in models:
        for part in (one, *(getattr(one, "operations", None) or ())):
            if part is not model and not isinstance(part, keras.layers.InputLayer):
                found[id(part)] = part
    return list(found.values())


@contextmanager
def changed(operation: Any, change: Callable[[Callable, tuple, dict], Any]) -> Iterator[None]:
    """Replace the call of an operation inside the context by `change(call, arguments, named arguments)`."""
    call, own = operation.call, operation.__dict__.get("call")
    # Bypasses Keras' own __setattr__, which only tracks layers and variables.
    operation.__dict__["call"] = lambda *args, **kwargs: change(call, args, kwargs)
    try:
        yield
    finally:
        del operation.__dict__["call"]
        if own is not None:
            operation.__dict__["call"] = own


@contextmanager
def recorded(parts: Sequence[Any]) -> Iterator[list[Call]]:
    """Record the calls of some operations inside the context, in the order in which they begin.

    The context must lie in a TensorFlow graph, inside a compiled function.
    """
    calls: list[Call] = []
    counts: dict[int, int] = {}
    opened: list[str] = []
    graph = tf.compat.v1.get_default_graph()

    def recorder(operation: Any) -> Callable:
        def run(call: Callable, args: tuple, kwargs: dict) -> Any:
            opened.append(operation.name)
            one = Call(operation, counts.get(id(operation), 0), keras.tree.flatten((args, kwargs)))
            one.path, one.first = tuple(opened), len(graph.get_operations())
            counts[id(operation)] = one.number + 1
            calls.append(one)
            try:
                result = call(*args, **kwargs)
            finally:
                opened.pop()
            one.last, one.outputs = len(graph.get_operations()), keras.tree.flatten(result)
            return result

        return run

    with ExitStack() as stack:
        for part in parts:
            stack.enter_context(changed(part, recorder(part)))
        yield calls


@dataclass(frozen=True)
class Site:
    """A tensor inside a model: an output, or an argument, of one call of an operation.

    Attributes:
        operation: The operation.
        number: Number of the call: 0 for the first.
        of_output: True for an output of the call, False for its arguments.
        positions: Where the tensor stands among the flattened outputs or arguments.
        name: Name for messages.
    """

    operation: Any
    number: int
    of_output: bool
    positions: tuple[int, ...]
    name: str

    @contextmanager
    def through(self, edit: Callable[[Any], Any]) -> Iterator[None]:
        """Pass the tensor through `edit` inside the context."""
        count = -1

        def exchanged(values: Any) -> Any:
            flat = keras.tree.flatten(values)
            new = edit(flat[self.positions[0]])
            flat = [new if i in self.positions else x for i, x in enumerate(flat)]
            return keras.tree.pack_sequence_as(values, flat)

        def run(call: Callable, args: tuple, kwargs: dict) -> Any:
            nonlocal count
            count += 1
            if count != self.number:
                return call(*args, **kwargs)
            if self.of_output:
                return exchanged(call(*args, **kwargs))
            args, kwargs = exchanged((args, kwargs))
            return call(*args, **kwargs)

        with changed(self.operation, run):
            yield
