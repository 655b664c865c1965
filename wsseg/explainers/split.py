"""Split a model at the layer to explain: features before it, a head after it that ends in logits."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import keras

from wsseg.catalogue import nearest
from wsseg.errors import InputError

PROBABILITY_ACTIVATIONS = ("softmax", "sigmoid")


@dataclass(frozen=True)
class Split:
    """A model in two parts.

    Attributes:
        features: Images `(B, H, W, 3)` -> the explained layer's output `(B, h, w, C)`.
        head: That output -> the model's output before its final softmax or sigmoid.
        layer: The explained layer's name.
    """

    features: keras.Model
    head: keras.Model
    layer: str


def flatten(model: keras.Model) -> keras.Model:
    """Return a functional model of the same layers and weights in which no model is nested in another.

    Args:
        model: A functional or sequential model; an application inside one is the common case.

    Returns:
        A functional model that shares every weight with `model`.

    Raises:
        InputError: `model` is subclassed, or was never built.
    """
    if isinstance(model, keras.Sequential):
        if not model.built or not model.inputs:
            raise InputError(f"model `{model.name}` has no input shape yet; call it on a batch of images first")
    elif not hasattr(model, "_run_through_graph"):
        raise InputError(
            f"model `{model.name}` is a subclassed {type(model).__name__}; its layers can't be told apart; "
            "rebuild it as a functional model"
        )
    inputs = [keras.Input(batch_shape=x.shape, dtype=x.dtype, name=x.name) for x in model.inputs]
    outputs = _inline(model, inputs[0] if len(inputs) == 1 else inputs)
    return keras.Model(inputs, outputs, name=f"{model.name}_flat")


def _inline(operation: Callable, *args: Any, **kwargs: Any) -> Any:
    """Call `operation` on symbolic tensors; a model's layers are called one by one in its place."""
    if isinstance(operation, keras.Sequential):
        (tensor,) = args
        for layer in operation.layers:
            tensor = _inline(layer, tensor)
        return tensor
    if isinstance(operation, keras.Model) and hasattr(operation, "_run_through_graph"):
        (inputs,) = args
        return operation._run_through_graph(
            operation._standardize_inputs(inputs), operation_fn=lambda layer: lambda *a, **k: _inline(layer, *a, **k)
        )
    return operation(*args, **kwargs)


def spatial_layers(model: keras.Model) -> list[tuple[str, Any]]:
    """List the layers of a flat model whose output still has a place: `(name, output tensor)`, in order.

    A global pooling that keeps its dimensions, `(B, 1, 1, C)`, has none any more.
    """
    # A shared layer has a node in each model it is part of, and `layer.output` is the first one's: so the nodes
    # of this very graph are walked instead, in the order in which they run.
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
    if len(model.outputs) != 1:
        raise InputError(
            f"model `{model.name}` has {len(model.outputs)} outputs; build a model with the one to explain"
        )
    output = model.outputs[0]
    operation, node_index, _ = output._keras_history
    before = operation._inbound_nodes[node_index].input_tensors
    activation = getattr(operation, "activation", None)
    kind = getattr(activation, "__name__", type(operation).__name__.lower())
    if kind not in PROBABILITY_ACTIVATIONS:
        return output
    if not getattr(operation, "weights", []):
        return before[0]  # an Activation or Softmax layer, or a plain softmax operation
    config = operation.get_config() | {"activation": "linear", "name": f"{operation.name}_logits"}
    linear = type(operation).from_config(config)
    logits = linear(before[0])
    linear.set_weights(operation.get_weights())
    return logits


def split(model: keras.Model, layer: str | None = None) -> Split:
    """Split `model` at a layer.

    Args:
        model: Any functional or sequential classifier, nested ones included.
        layer: The layer to explain, or None for the last spatial features that the head reads: the last
            layer whose output is `(B, h, w, C)` (in ResNet50 the ReLU after the last addition, not a
            convolution before it).

    Returns:
        The two parts, sharing the model's weights.

    Raises:
        InputError: No layer of that name, or no spatial layer at all, or the head also reads from before
            the layer.
    """
    flat = flatten(model)
    choices = dict(spatial_layers(flat))
    if not choices:
        raise InputError(f"model `{model.name}` has no layer with a (batch, height, width, channels) output")
    if layer is not None and layer not in choices:
        raise InputError(f"model `{model.name}` has no spatial layer `{layer}`; {nearest(layer, choices)}")
    name = layer or list(choices)[-1]
    tensor = choices[name]
    features = keras.Model(flat.inputs, tensor, name="features")
    try:
        head = keras.Model(tensor, logits_of(flat), name="head")
    except (ValueError, KeyError) as error:
        raise InputError(
            f"model `{model.name}` can't be split at `{name}`: a later layer also reads from before it; "
            f"choose a later layer, such as `{list(choices)[-1]}`"
        ) from error
    return Split(features, head, name)
