"""What lies where in a model's graph: spatial layers, and what a tensor depends on."""

from collections.abc import Sequence
from typing import Any

import keras

from wsseg.explainers.graph_part import node_of
from wsseg.grid import Grid


def is_spatial(output: Any) -> bool:
    """Return whether a tensor has a height and a width, of which one at least is not 1."""
    shape = getattr(output, "shape", ())
    return len(shape) == 4 and tuple(shape[1:3]) != (1, 1)


def spatial_layers(flat: keras.Model, image: Any) -> dict[str, Any]:
    """List the spatial layers that depend on the image.

    The output of a global pooling that keeps its dimensions, `(B, 1, 1, C)`, is not spatial.

    Args:
        flat: Flat model, from `wsseg.explainers.flattening.flatten`.
        image: The image's symbolic input.

    Returns:
        Layer name -> output tensor `(B, h, w, C)`, in the order in which the layers run.
    """
    # A shared layer has a node in each model that contains it, and `layer.output` belongs to the first node.
    # Therefore the nodes of this graph are visited instead, in the order in which they run.
    result, behind = {}, {id(image)}
    for depth in sorted(flat._nodes_by_depth, reverse=True):
        for node in flat._nodes_by_depth[depth]:
            if node.is_input or not behind & {id(x) for x in node.input_tensors}:
                continue
            behind |= {id(x) for x in node.outputs}
            if len(node.outputs) == 1 and is_spatial(node.outputs[0]):
                result.pop(node.operation.name, None)  # called twice: keep the later call
                result[node.operation.name] = node.outputs[0]
    return result


def inputs_behind(outputs: Sequence[Any], stop: Any) -> set[int]:
    """Return the ids of the inputs that the outputs depend on by paths that do not contain the tensor `stop`."""
    reached, seen, left = set(), {id(stop)}, keras.tree.flatten(outputs)
    while left:
        tensor = left.pop()
        if id(tensor) in seen:
            continue
        seen.add(id(tensor))
        node = node_of(tensor)
        if node.is_input:
            reached.add(id(tensor))
        left.extend(node.input_tensors)
    return reached


def coarsest(choices: dict[str, Any], places: dict[int, Grid]) -> tuple[str, Any]:
    """Return the last of the layers with the largest stride."""
    known = {name: places[id(x)].stride_hw[0] for name, x in choices.items() if id(x) in places}
    if not known:
        return next(reversed(choices.items()))
    name = next(name for name in reversed(known) if known[name] == max(known.values()))
    return name, choices[name]


def sequences_behind(outputs: Sequence[Any], stop: Any) -> bool:
    """Return whether symbolic outputs are computed by way of a tensor of rank 3, not going back beyond `stop`."""
    left, seen = list(outputs), {id(stop)}
    while left:
        tensor = left.pop()
        if id(tensor) in seen:
            continue
        seen.add(id(tensor))
        if len(tensor.shape) == 3:
            return True
        left.extend(node_of(tensor).input_tensors)
    return False
