"""The scores before a model's final softmax or sigmoid, found by what the last operations do, not by their names."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np

from wsseg.explainers.measured_activation import Activation, measure, measure_average, measure_axis
from wsseg.explainers.pre_activation import ArrangedLogits, AveragedLogits, PreActivation, without_activation

STEPS = 100
"""Maximum number of operations between an output and its logits."""

VALUES = 2**24
"""Maximum number of values of a tensor on which an activation is measured."""

FREE = 4
"""Length that stands for a side of any length while an activation is measured."""


@dataclass(frozen=True)
class Logits:
    """The scores before an output's final activation.

    Attributes:
        tensor: The scores, a symbolic tensor of the output's shape; the output itself if it has no such activation.
        kind: "softmax", "log_softmax", "sigmoid", "bounded" (another activation that levels off, such as a hard
            sigmoid or tanh), "mixed", or "none": the output is the score.
        probabilities: Whether each value of the output is a probability.
        known: False if the end of the model could not be followed, so that the output may be a probability whose
            gradient vanishes.
        note: What was assumed, for a warning; None if nothing was.
    """

    tensor: Any
    kind: str = "none"
    probabilities: bool = False
    known: bool = True
    note: str | None = None


def logits_of(output: Any) -> Logits:
    """Follow a model's output back to the scores before its final softmax or sigmoid.

    Gradients of probabilities vanish if the model is confident; Selvaraju et al. (Grad-CAM, section 3)
    therefore use the score before the softmax. The operations without weights at the model's end are cut off one after
    the other, and what they do together is measured by calling them, until it is a softmax or sigmoid: so it does not
    matter how the activation is written, nor what is reshaped, joined, cast or clipped after it. A layer that contains
    its activation is called without it; it keeps its weights. If several softmaxes or sigmoids are averaged, the
    average has no logit; the mean of the members' logits takes its place.

    Args:
        output: An output tensor of a functional model without nested models.

    Returns:
        The logits; values of them are those at which the activation gives the output.
    """
    order = _without_weights(output)
    cut, bounded, sources = [output], None, []
    for _ in range(STEPS):
        sources = [_Source(x) for x in cut]
        found = _matched(sources, output)
        if found is not None and found.kind != "bounded":
            return found
        bounded = bounded or found  # it may clip probabilities, so the search goes on
        inner = [x for x in cut if id(x) in order]
        if not inner:
            break
        last = max(inner, key=lambda x: order[id(x)])
        before = _node(last).input_tensors
        cut = list({id(x): x for x in [y for y in cut if y is not last] + list(before)}.values())
    return bounded or Logits(output, known=_exceeds_one(sources, output))


class _Source:
    """A tensor at which the model is cut, and the activation of the layer that gives it."""

    def __init__(self, tensor: Any):
        self.tensor = tensor
        self.operation = _node(tensor).operation
        self.part = _activated_part(tensor) if getattr(self.operation, "weights", None) else None
        self.activate = None if self.part is None else _activation(self.part)

    @property
    def logits(self) -> Any:
        """The symbolic logits."""
        if self.part is None:
            return self.tensor
        arguments = _node(self.tensor).arguments
        return PreActivation(self.operation, self.part)(*arguments.args, **arguments.kwargs)


def _matched(sources: Sequence[_Source], output: Any) -> Logits | None:
    """Return the logits if the operations behind a cut are an activation."""
    floating = all(keras.backend.is_float_dtype(x.dtype) for x in [output, *(s.tensor for s in sources)])
    if not floating or (sources[0].tensor is output and sources[0].part is None):
        return None
    if any(len(x.shape) < 2 for x in (output, *(s.tensor for s in sources))):
        return None
    tolerance = 1e-3 if keras.backend.standardize_dtype(output.dtype) in ("float32", "float64") else 2e-2
    try:
        if len(output.shape) > 2 and len(sources) == 1 and _fits(sources[0].tensor, output):
            return _matched_axes(sources[0], output, tolerance)
        return _matched_row(sources, output, tolerance)
    except Exception:  # an operation may refuse values of its own making; then it can't be measured
        return None


def _fits(tensor: Any, output: Any) -> bool:
    return tuple(tensor.shape[1:]) == tuple(output.shape[1:])


def _matched_axes(source: _Source, output: Any, tolerance: float) -> Logits | None:
    shape = tuple(side or FREE for side in output.shape[1:])
    if source.tensor is output:  # the activation alone, which takes any size
        shape = (*(min(side, FREE) for side in shape[:-1]), shape[-1])
    if np.prod(shape) > VALUES:
        return None
    run = _runner([source], output, [shape])
    found = measure_axis(lambda z: run([z]), shape, tolerance)
    return None if found is None else Logits(source.logits, *found)


def _matched_row(sources: Sequence[_Source], output: Any, tolerance: float) -> Logits | None:
    shapes = [tuple(s.tensor.shape[1:]) for s in sources]
    shape = tuple(output.shape[1:])
    if None in shape or any(None in one for one in shapes):
        return None
    counts, size = [int(np.prod(one)) for one in shapes], int(np.prod(shape))
    if max(sum(counts), size) * len(shapes) > VALUES // 64 or sum(counts) > 8 * size + 64:
        return None
    run = _runner(sources, output, shapes)

    def function(values: np.ndarray) -> np.ndarray:
        parts = np.split(values, np.cumsum(counts)[:-1], axis=1)
        given = [part.reshape(-1, *one) for part, one in zip(parts, shapes)]
        return run(given).reshape(len(values), size)

    found: Activation | None = measure(function, sum(counts), size, tolerance)
    if found is not None:
        if len(sources) == 1 and found.plain and shapes[0] == shape:
            tensor = sources[0].logits
        else:
            tensor = ArrangedLogits(found.index, found.scale, found.offset, shape)(
                [s.logits for s in sources]
            )
        return Logits(tensor, found.kind, found.probabilities)
    if len(sources) > 1 and set(counts) == {size}:
        average = measure_average(function, len(sources), size, tolerance)
        if average is not None:
            kind, weights = average
            tensor = AveragedLogits(weights, shape)([s.logits for s in sources])
            note = (
                f"an output of the model is the mean of {len(sources)} {kind} outputs, which has no logit of its own; "
                "the mean of their logits is explained"
            )
            return Logits(tensor, kind, True, note=note)
    return None


def _runner(
    sources: Sequence[_Source], output: Any, shapes: Sequence[tuple[int, ...]]
) -> Callable[[Sequence[np.ndarray]], np.ndarray]:
    """Return the function from logits to the output: the activations, and the operations after them."""
    tail = None
    if sources[0].tensor is not output:
        tail = keras.Model([s.tensor for s in sources], output)
    fixed = [s.tensor.shape[0] for s in sources if s.tensor.shape[0] is not None]

    def run(given: Sequence[np.ndarray]) -> np.ndarray:
        rows = len(given[0])
        step = fixed[0] if fixed else rows
        results = []
        for start in range(0, rows, step):
            part = np.minimum(np.arange(start, start + step), rows - 1)
            values = [keras.ops.convert_to_tensor(x[part], s.tensor.dtype) for x, s in zip(given, sources)]
            values = [x if s.activate is None else s.activate(x) for x, s in zip(values, sources)]
            found = values[0] if tail is None else tail(values, training=False)
            results.append(np.asarray(keras.ops.cast(found, "float32"), np.float64)[: rows - start])
        return np.concatenate(results)

    return run


def _activated_part(tensor: Any) -> Any:
    """Return the layer whose activation ends a layer's computation: the layer itself or one inside it; None if none."""
    operation = _node(tensor).operation
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
    arguments = _node(tensor).arguments
    if len(_node(tensor).input_tensors) != 1 or any(
        isinstance(x, keras.KerasTensor) for x in keras.tree.flatten(arguments.kwargs)
    ):
        return False
    (given,) = _node(tensor).input_tensors
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


def _exceeds_one(sources: Sequence[_Source], output: Any) -> bool:
    """Return whether an output is surely no probability, as its last operations give numbers outside [0, 1]."""
    if sources[0].tensor is output:
        given = _node(output).input_tensors
        linear = (keras.activations.linear, keras.activations.relu)
        if type(sources[0].operation) in DIRECT and sources[0].operation.activation in linear:
            return True
    else:
        given = [s.tensor for s in sources]
    shapes = [tuple(side or FREE for side in x.shape[1:]) for x in given]
    if not given or sum(np.prod(shape) for shape in shapes) > VALUES:
        return False
    random = np.random.default_rng(0)
    try:
        values = [
            keras.ops.convert_to_tensor(30 * random.normal(size=(x.shape[0] or 2, *shape)), x.dtype)
            for x, shape in zip(given, shapes)
        ]
        found = np.asarray(keras.Model(given, output)(values, training=False), np.float32)
    except Exception:  # the operations refuse values of our making: what they give is unknown
        return False
    return bool((found < -0.01).any() or (found > 1.01).any())


def _without_weights(output: Any) -> dict[int, int]:
    """Number the tensors whose operations have no weights, back from an output up to layers with weights.

    An operation's number is larger than those of the operations before it.
    """
    order: dict[int, int] = {}
    stack, seen = [(output, False)], set()
    while stack:
        tensor, done = stack.pop()
        node = _node(tensor)
        if node.is_input or getattr(node.operation, "weights", None):
            continue
        if done:
            order[id(tensor)] = len(order)
        elif id(tensor) not in seen:
            seen.add(id(tensor))
            stack.append((tensor, True))
            stack.extend((x, False) for x in node.input_tensors)
    return order


def _node(tensor: Any) -> Any:
    operation, index, _ = tensor._keras_history
    return operation._inbound_nodes[index]
