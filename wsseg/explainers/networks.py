"""The network of a model and a layer: split at a spatial layer, or at tokens."""

from collections.abc import Sequence
from typing import Any

import keras

from wsseg.errors import InputError
from wsseg.explainers.call_record import parts_of
from wsseg.explainers.flattening import is_graph
from wsseg.explainers.graph_network import GraphNetwork
from wsseg.explainers.network import Network
from wsseg.explainers.subclassed_network import SubclassedNetwork
from wsseg.explainers.token_network import ANY_MODEL, TokenNetwork
from wsseg.explainers.token_site import NoTokensError


def network_for(
    model: keras.Model,
    layer: str | None = None,
    output: str | int | None = None,
    at_layer: bool = True,
    reshape: Any = None,
) -> Network:
    """Split a model where it is to be explained.

    A spatial layer `(B, h, w, C)` comes first. Tokens `(B, N, C)` are taken if the layer of that name gives tokens, if
    `reshape` is given, if there is no spatial layer that all paths to the output pass through, or if attention over
    tokens follows after it (a patch embedding by a convolution).

    Args:
        model: See `Explainer`.
        layer: See `Explainer`.
        output: See `Explainer`.
        at_layer: False to explain the image itself.
        reshape: See `TokenNetwork`.

    Raises:
        InputError: The model can't be split there; the message names methods that need no layer.
    """
    layer = getattr(layer, "name", layer)
    if not is_graph(model):
        if at_layer and (reshape is not None or (layer is None and _has_attention(model))):
            return TokenNetwork(SubclassedNetwork(model, at_layer=False), layer, reshape)
        return SubclassedNetwork(model, layer, at_layer)
    if not at_layer:
        return GraphNetwork(model, None, output, False)
    if reshape is not None:
        return TokenNetwork(GraphNetwork(model, None, output, False), layer, reshape)
    try:
        network = GraphNetwork(model, layer, output)
    except InputError as refusal:
        return _tokens_instead(model, layer, output, refusal)
    if layer is None and sequences_behind(network._ends, network._tensor):
        try:
            return TokenNetwork(GraphNetwork(model, None, output, False), after=network.layer)
        except InputError:
            return network
    return network


def _tokens_instead(model: Any, layer: str | None, output: Any, refusal: InputError) -> Network:
    base = GraphNetwork(model, None, output, False)  # refuses a model without an image
    if _may_have_tokens(base, layer):
        try:
            return TokenNetwork(base, layer)
        except NoTokensError:
            pass
    raise InputError(f"{refusal}; {ANY_MODEL}") from refusal


def _may_have_tokens(base: GraphNetwork, layer: str | None) -> bool:
    """Return whether a model's layers allow for tokens; whether there are some shows when it runs."""
    if layer is None:
        return _has_attention(base.model) or sequences_behind(base._ends, None)
    return str(layer).split(".")[-1] in {part.name.split(".")[-1] for part in parts_of(base._whole)}


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
        operation, index, _ = tensor._keras_history
        left.extend(operation._inbound_nodes[index].input_tensors)
    return False


def _has_attention(model: keras.Model) -> bool:
    layers = model._flatten_layers(include_self=False)
    return any("attention" in base.__name__.lower() for one in layers for base in type(one).__mro__)
