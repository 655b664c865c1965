"""The network of a model and a layer: split at a spatial layer, or at tokens."""

from typing import Any

import keras

from wsseg.errors import InputError, is_whole
from wsseg.explainers.call_record import parts_of
from wsseg.explainers.flattening import is_graph
from wsseg.explainers.graph_network import GraphNetwork
from wsseg.explainers.layer_choice import SeveralLayersError
from wsseg.explainers.network import Network
from wsseg.explainers.subclassed_network import SubclassedNetwork
from wsseg.explainers.token_network import ANY_MODEL, TokenNetwork
from wsseg.explainers.token_site import NoTokensError


def network_for(
    model: keras.Model,
    layer: Any = None,
    output: Any = None,
    at_layer: bool = True,
    reshape: Any = None,
    image: str | int | None = None,
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
        image: See `Explainer`.

    Raises:
        InputError: The model can't be split there; the message names methods that need no layer.
    """
    if not is_graph(model):
        if at_layer and (reshape is not None or (layer is None and _has_attention(model))):
            base = SubclassedNetwork(model, at_layer=False, image=image)
            return TokenNetwork(base, _name_of(model, layer), reshape)
        return SubclassedNetwork(model, layer, at_layer, image)
    if not at_layer:
        return GraphNetwork(model, None, output, False, image)
    if reshape is not None:
        return TokenNetwork(GraphNetwork(model, None, output, False, image), _name_of(model, layer), reshape)
    try:
        network = GraphNetwork(model, layer, output, True, image)
    except SeveralLayersError:
        raise
    except InputError as refusal:
        return _tokens_instead(model, layer, output, image, refusal)
    if network.tapped:  # a layer inside another one, which may give tokens
        return _tokens(model, layer, output, image) or network
    if layer is None and network.sequences_follow():
        try:
            return TokenNetwork(GraphNetwork(model, None, output, False, image), after=network.layer)
        except InputError:
            return network
    return network


def _tokens_instead(model: Any, layer: Any, output: Any, image: Any, refusal: InputError) -> Network:
    found = _tokens(model, layer, output, image)
    if found is None:
        raise InputError(f"{refusal}; {ANY_MODEL}") from refusal
    return found


def _tokens(model: Any, layer: Any, output: Any, image: Any) -> TokenNetwork | None:
    """Return the network at a layer's tokens, None for the last ones; None if there are no tokens."""
    base = GraphNetwork(model, None, output, False, image)  # refuses a model without an image
    name = _name_of(model, layer)
    if not _may_have_tokens(base, name):
        return None
    try:
        return TokenNetwork(base, name)
    except NoTokensError:
        return None


def _may_have_tokens(base: GraphNetwork, name: str | None) -> bool:
    """Return whether a model's layers allow for tokens; whether there are some shows when it runs."""
    if name is None:
        return _has_attention(base.model) or base.sequences_follow()
    return name.split(".")[-1] in {part.name.split(".")[-1] for part in parts_of(base.flat)}


def _name_of(model: keras.Model, layer: Any) -> str | None:
    """Return the name or dotted path of a layer that is given in one of the forms of `Explainer`."""
    if is_whole(layer, -len(model.layers)) and layer < len(model.layers):
        layer = model.layers[layer]
    return None if layer is None else str(getattr(layer, "name", layer)).replace("/", ".")


def _has_attention(model: keras.Model) -> bool:
    layers = model._flatten_layers(include_self=False)
    return any("attention" in base.__name__.lower() for one in layers for base in type(one).__mro__)
