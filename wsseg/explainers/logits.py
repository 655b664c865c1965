"""The scores before a model's final softmax or sigmoid."""

from typing import Any

PROBABILITY_ACTIVATIONS = ("softmax", "sigmoid")


def logits_of(output: Any) -> Any:
    """Return a symbolic output before its final softmax or sigmoid; the output itself if it has neither.

    Gradients of probabilities vanish if the model is confident; Selvaraju et al. (Grad-CAM, section 3)
    therefore use the score before the softmax. If the last layer contains the activation, the layer is copied
    without it; the copy keeps the weights that the layer has now.

    Args:
        output: An output tensor of a functional model.

    Returns:
        A symbolic tensor of the same shape.
    """
    before_casts = output
    operation, before, kind = _origin(output)
    while kind == "linear" and not operation.weights:  # commonly a cast of the probabilities to float32
        before_casts = before
        operation, before, kind = _origin(before_casts)
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
    """Return the operation that computes a tensor, its first input, and its activation or type name in lower case."""
    operation, node_index, _ = tensor._keras_history
    before = operation._inbound_nodes[node_index].input_tensors
    operation = getattr(operation, "wrapped", operation)
    activation = getattr(operation, "activation", None)
    kind = getattr(activation, "__name__", type(operation).__name__.lower())
    return operation, before[0] if before else None, kind
