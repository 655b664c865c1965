"""The last operations of a model: where it is cut, what is computed behind the cut, and layers with an activation."""

from collections.abc import Callable, Sequence
from typing import Any

import keras
import numpy as np

from wsseg.explainers.graph_part import Part, node_of
from wsseg.explainers.pre_activation import PreActivation, without_activation

VALUES = 2**24
"""Maximum number of values of a tensor on which an activation is measured."""

FREE = 4
"""Length that stands for a side of any length while an activation is measured."""


class Source:
    """A tensor at which the model is cut, and the activation of the layer that gives it."""

    def __init__(self, tensor: Any):
        self.tensor = tensor
        self.operation = node_of(tensor).operation
        self.part = _activated_part(tensor) if getattr(self.operation, "weights", None) else None
        self.activate = None if self.part is None else _activation(self.part)

    @property
    def logits(self) -> Any:
        """The symbolic logits."""
        if self.part is None:
            return self.tensor
        arguments = node_of(self.tensor).arguments
        return PreActivation(self.operation, self.part)(*arguments.args, **arguments.kwargs)


def runner(
    sources: Sequence[Source], output: Any, shapes: Sequence[tuple[int, ...]]
) -> Callable[[Sequence[np.ndarray]], np.ndarray]:
    """Return the function from logits to the output: the activations, and the operations after them."""
    tail = None
    if sources[0].tensor is not output:
        tail = Part([s.tensor for s in sources], [output])
    fixed = [s.tensor.shape[0] for s in sources if s.tensor.shape[0] is not None]

    def run(given: Sequence[np.ndarray]) -> np.ndarray:
        rows = len(given[0])
        step = fixed[0] if fixed else rows
        results = []
        for start in range(0, rows, step):
            part = np.minimum(np.arange(start, start + step), rows - 1)
            values = [keras.ops.convert_to_tensor(x[part], s.tensor.dtype) for x, s in zip(given, sources)]
            values = [x if s.activate is None else s.activate(x) for x, s in zip(values, sources)]
            found = values[0] if tail is None else tail(values)[0]
            results.append(np.asarray(keras.ops.cast(found, "float32"), np.float64)[: rows - start])
        return np.concatenate(results)

    return run


def _activated_part(tensor: Any) -> Any:
    """Return the layer whose activation ends a layer's computation: the layer itself or one inside it; None if none."""
    operation = node_of(tensor).operation
    if type(operation) in DIRECT:
        return None if operation.activation is keras.activations.linear else operation
    inside = operation._flatten_layers() if isinstance(operation, keras.layers.Layer) else ()
    parts = [part for part in inside if _activation(part) is not None]
    for part in parts[:-6:-1]:
        if _ends_in(tensor, operation, part):
            return part
    return None


DIRECT = tuple(
    getattr(keras.layers, name)
    for name in (
        "Dense", "EinsumDense", "Conv1D", "Conv2D", "Conv3D", "Conv1DTranspose", "Conv2DTranspose",
        "Conv3DTranspose", "DepthwiseConv1D", "DepthwiseConv2D", "SeparableConv1D", "SeparableConv2D",
    )
)  # fmt: skip
"""Layers whose last step is their activation; for others, it is tried out."""


def _activation(part: Any) -> Callable | None:
    """Return a layer's activation, or the layer itself if it is one; None for no activation, or a linear one."""
    function = getattr(part, "activation", None)
    if function is keras.activations.linear:
        return None
    if callable(function):
        return function
    return part if isinstance(part, keras.layers.Softmax) else None


def _ends_in(tensor: Any, operation: Any, part: Any) -> bool:
    """Try out whether a layer's output is the activation of what it gives without the activation."""
    arguments = node_of(tensor).arguments
    if len(node_of(tensor).input_tensors) != 1 or any(
        isinstance(x, keras.KerasTensor) for x in keras.tree.flatten(arguments.kwargs)
    ):
        return False
    (given,) = node_of(tensor).input_tensors
    shape = tuple(side or FREE for side in given.shape[1:])
    if np.prod(shape) > VALUES // 4:
        return False
    try:
        values = np.random.default_rng(0).normal(size=(given.shape[0] or 2, *shape))
        values = keras.ops.convert_to_tensor(values, given.dtype)
        args = keras.tree.map_structure(
            lambda x: values if isinstance(x, keras.KerasTensor) else x, arguments.args
        )
        whole = operation(*args, **arguments.kwargs)
        with without_activation(part):
            before = operation(*args, **arguments.kwargs)
        whole, again = (keras.ops.cast(x, "float32") for x in (whole, _activation(part)(before)))
        return whole.shape == again.shape and bool(np.allclose(whole, again, atol=1e-3))
    except Exception:  # the layer refuses values of our making: its end is unknown
        return False


def without_weights(output: Any) -> dict[int, int]:
    """Number the tensors whose operations have no weights, back from an output up to layers with weights.

    An operation's number is larger than those of the operations before it.
    """
    order: dict[int, int] = {}
    stack, seen = [(output, False)], set()
    while stack:
        tensor, done = stack.pop()
        node = node_of(tensor)
        if node.is_input or getattr(node.operation, "weights", None):
            continue
        if done:
            order[id(tensor)] = len(order)
        elif id(tensor) not in seen:
            seen.add(id(tensor))
            stack.append((tensor, True))
            stack.extend((x, False) for x in node.input_tensors)
    return order
