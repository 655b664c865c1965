"""A part of a model's graph: the operations that lead from some of its tensors to others."""

from collections.abc import Sequence
from typing import Any

import keras


class Part:
    """A function from some symbolic tensors of a graph to others, which runs the same operations on numbers.

    A `keras.Model` between inner tensors would do the same, but it replaces every call of the layer whose output is
    its input; here the other calls of a shared layer run as they are. The operations are called as at inference.

    Args:
        starts: Symbolic tensors whose values are given.
        ends: Symbolic tensors to compute; they must depend on no input that is not among `starts`.

    Attributes:
        starts: See above.
        ends: See above.

    Example:
        >>> start = keras.Input((4,))
        >>> middle = keras.ops.add(start, 1.0)
        >>> part = Part([middle], [keras.ops.multiply(middle, 2.0)])
        >>> [float(value[0, 0]) for value in part([keras.ops.ones((1, 4))])]
        [2.0]
    """

    def __init__(self, starts: Sequence[Any], ends: Sequence[Any]):
        self.starts, self.ends = list(starts), list(ends)
        self._nodes = _nodes_between(self.starts, self.ends)

    def __call__(self, values: Sequence[Any]) -> list[Any]:
        """Compute the ends from the values of the starts, which are cast to the starts' dtypes."""
        known = {id(start): _as(value, start.dtype) for start, value in zip(self.starts, values)}
        for node in self._nodes:
            args, kwargs = node.arguments.fill_in(known)
            if "training" in getattr(node.operation, "_call_context_args", ()):
                kwargs = {**kwargs, "training": False}
            outputs = keras.tree.flatten(node.operation(*args, **kwargs))
            for tensor, value in zip(node.outputs, outputs):
                known.setdefault(id(tensor), value)  # a start among several outputs keeps its given value
        return [known[id(end)] for end in self.ends]


def _as(value: Any, dtype: str) -> Any:
    tensor = keras.ops.convert_to_tensor(value)
    found = keras.backend.standardize_dtype(tensor.dtype)
    if dtype in (found, "string"):
        return tensor
    if "int" in dtype and "float" in found:
        tensor = keras.ops.round(tensor)
    return keras.ops.cast(tensor, dtype)


def node_of(tensor: Any) -> Any:
    """Return the node, one call of an operation, that a symbolic tensor comes from."""
    operation, index, _ = tensor._keras_history
    return operation._inbound_nodes[index]


def _nodes_between(starts: Sequence[Any], ends: Sequence[Any]) -> list[Any]:
    """Return the nodes that the ends need beyond the starts, each after those that it reads."""
    given, order, seen = {id(x) for x in starts}, [], set()
    left = [(node_of(x), False) for x in reversed(ends) if id(x) not in given]
    while left:
        node, ready = left.pop()
        if ready:
            order.append(node)
        elif id(node) not in seen and not node.is_input:
            seen.add(id(node))
            left.append((node, True))
            left.extend((node_of(x), False) for x in node.input_tensors if id(x) not in given)
    return order
