"""Split a model at the layer to explain: features before it, a head after it that ends in logits."""

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import keras

from wsseg.backbones.alignment import Grid, grids
from wsseg.catalogue import nearest
from wsseg.errors import InputError

PROBABILITY_ACTIVATIONS = ("softmax", "sigmoid")


@dataclass(frozen=True)
class Split:
    """A model in two parts.

    Attributes:
        features: Images `(B, H, W, 3)` -> the explained layer's output `(B, h, w, C)`.
        head: That output -> the model's output before its final softmax or sigmoid, `(B, K)`.
        layer: The explained layer's name.
        grid: Where in the image the layer's cells look, or None where that can't be told.
    """

    features: keras.Model
    head: keras.Model
    layer: str
    grid: Grid | None


def flatten(model: keras.Model) -> keras.Model:
    """Return a functional model of the same layers and weights in which no model is nested in another.

    Args:
        model: A functional or sequential model; an application inside one is the common case.

    Returns:
        A functional model that shares every weight with `model`. Where a nested layer's name occurs twice, it
        becomes `<its model>.<layer>`.

    Raises:
        InputError: `model` is subclassed, or was never built.
    """
    if isinstance(model, keras.Sequential):
        if not model.built or not model.inputs:
            raise InputError(
                f"model `{model.name}` has no input shape yet; call it on a batch of images first"
            )
    elif not hasattr(model, "_run_through_graph"):
        raise InputError(
            f"model `{model.name}` is a subclassed {type(model).__name__}; its layers can't be told apart; "
            "rebuild it as a functional model"
        )
    inputs = [keras.Input(batch_shape=x.shape, dtype=x.dtype) for x in model.inputs]
    outputs = _Inliner(model).run(model, inputs[0] if isinstance(model, keras.Sequential) else inputs)
    return keras.Model(inputs, outputs, name=f"{model.name}_flat")


class _Renamed(keras.layers.Layer):
    """A layer under another name: a flat model may hold each name once only, nested models may repeat it."""

    def __init__(self, wrapped: Callable, name: str):
        super().__init__(name=name, autocast=False)
        self.wrapped = wrapped

    def call(self, *args, **kwargs):
        return self.wrapped(*args, **kwargs)


class _Inliner:
    """Calls a model's operations on symbolic tensors one by one, in place of the models nested in it."""

    def __init__(self, model: keras.Model):
        self.paths: dict[int, tuple[str, ...]] = {}
        self.wrappers: dict[int, _Renamed] = {}
        self._collect(model, ())
        self.counts = Counter(path[-1] for path in self.paths.values())

    def _collect(self, operation: Any, path: tuple[str, ...]) -> None:
        for part in getattr(operation, "operations", None) or operation.layers:
            if _is_graph(part):
                self._collect(part, (*path, part.name))
            elif not isinstance(part, keras.layers.InputLayer):
                self.paths.setdefault(id(part), (*path, part.name))

    def run(self, operation: Callable, *args: Any, **kwargs: Any) -> Any:
        if isinstance(operation, keras.Sequential):
            (tensor,) = args
            for layer in operation.layers:
                tensor = self.run(layer, tensor)
            return tensor
        if _is_graph(operation):
            (inputs,) = args
            # As the model itself would, but without its warning that a list of one tensor is no tensor.
            inputs = [
                given if given.dtype == expected.dtype else keras.ops.cast(given, expected.dtype)
                for given, expected in zip(keras.tree.flatten(inputs), operation.inputs)
            ]
            return operation._run_through_graph(inputs, operation_fn=lambda part: partial(self.run, part))
        path = self.paths[id(operation)]
        if len(path) > 1 and self.counts[path[-1]] > 1:
            operation = self.wrappers.setdefault(id(operation), _Renamed(operation, ".".join(path)))
        return operation(*args, **kwargs)


def _is_graph(operation: Any) -> bool:
    """Tell whether an operation is a model whose layers are known."""
    functional = isinstance(operation, keras.Model) and hasattr(operation, "_run_through_graph")
    return functional or isinstance(operation, keras.Sequential)


def spatial_layers(model: keras.Model) -> list[tuple[str, Any]]:
    """List the layers of a flat model whose output still has a place: `(name, output tensor)`, in order.

    A global pooling that keeps its dimensions, `(B, 1, 1, C)`, has none any more.
    """
    # A shared layer has a node in each model it is part of, and `layer.output` is the first one's: so the
    # nodes of this very graph are walked instead, in the order in which they run.
    result = []
    for depth in sorted(model._nodes_by_depth, reverse=True):
        for node in model._nodes_by_depth[depth]:
            outputs = node.outputs
            if len(outputs) != 1 or len(outputs[0].shape) != 4 or node.is_input:
                continue
            if outputs[0].shape[1] != 1 or outputs[0].shape[2] != 1:
                result.append((node.operation.name, outputs[0]))
    return result


def logits_of(model: keras.Model) -> Any:
    """Return the flat model's output before its final softmax or sigmoid, as a symbolic tensor.

    Gradients of probabilities vanish where the model is sure; Selvaraju et al. (Grad-CAM, section 3)
    therefore take the score before the softmax.
    """
    output = model.outputs[0]
    operation, before, kind = _origin(output)
    while kind == "linear" and not operation.weights:  # a cast of the probabilities to float32, commonly
        output = before
        operation, before, kind = _origin(output)
    if kind not in PROBABILITY_ACTIVATIONS:
        return output
    if not getattr(operation, "weights", []):
        return before  # an Activation or Softmax layer, or a plain softmax operation
    config = operation.get_config() | {"activation": "linear", "name": f"{operation.name}_logits"}
    linear = type(operation).from_config(config)
    logits = linear(before)
    linear.set_weights(operation.get_weights())
    return logits


def _origin(tensor: Any) -> tuple[Any, Any, str]:
    """Return the operation that makes a tensor, its first input, and its activation or kind in lower case."""
    operation, node_index, _ = tensor._keras_history
    before = operation._inbound_nodes[node_index].input_tensors
    operation = getattr(operation, "wrapped", operation)
    activation = getattr(operation, "activation", None)
    kind = getattr(activation, "__name__", type(operation).__name__.lower())
    return operation, before[0] if before else None, kind


def split(model: keras.Model, layer: str | None = None) -> Split:
    """Split `model` at a layer.

    Args:
        model: Any functional or sequential classifier, nested ones included.
        layer: The layer to explain, or None for the last spatial features that the head reads: the last
            layer whose output is `(B, h, w, C)` and through which all goes (in ResNet50 the ReLU after the
            last addition, not a convolution before it).

    Returns:
        The two parts, sharing the model's weights (but a last layer with its softmax inside is copied).

    Raises:
        InputError: The model does not take one image and give `(B, K)` scores; no layer of that name, or no
            spatial layer at all; or the head also reads from before the layer.
    """
    flat = flatten(model)
    shapes = [tuple(output.shape) for output in flat.outputs]
    if len(flat.inputs) != 1 or len(shapes) != 1 or len(shapes[0]) != 2:
        raise InputError(
            f"model `{model.name}` has {len(flat.inputs)} inputs and outputs of shapes {shapes}; expected "
            "one image in and (batch, classes) out; build a model of the part to explain"
        )
    choices = dict(spatial_layers(flat))
    if not choices:
        raise InputError(f"model `{model.name}` has no layer with a (batch, height, width, channels) output")
    if layer is not None and layer not in choices:
        raise InputError(f"model `{model.name}` has no spatial layer `{layer}`; {nearest(layer, choices)}")
    logits = logits_of(flat)
    parts = _split_at(flat, logits, layer, choices[layer]) if layer is not None else None
    if parts is not None:
        return parts
    for name, tensor in reversed(choices.items()):
        parts = _split_at(flat, logits, name, tensor)
        if parts is not None and layer is None:
            return parts
        if parts is not None:
            raise InputError(
                f"model `{model.name}` can't be split at `{layer}`: a later layer also reads from before it; "
                f"choose one through which all goes, such as `{name}`"
            )
    raise InputError(f"model `{model.name}` has no spatial layer through which all of its head's inputs go")


def _split_at(flat: keras.Model, logits: Any, name: str, tensor: Any) -> Split | None:
    """Split, or return None where the head also reads from before the layer."""
    try:
        head = keras.Model(tensor, logits, name="head")
    except (ValueError, KeyError):
        return None
    return Split(
        keras.Model(flat.inputs[0], tensor, name="features"), head, name, grids(flat).get(id(tensor))
    )
