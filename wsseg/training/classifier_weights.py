"""Start the backbone of a later stage from the classifier's weights."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import keras

from wsseg.errors import InputError
from wsseg.file_names import CLASSIFIER
from wsseg.saved_models import load_model


def initial_options(config: Any, inputs: Mapping[str, Path]) -> tuple[keras.Model | None, dict[str, Any]]:
    """Return the classifier whose weights a section's network starts from, and the options to build the network.

    Args:
        config: Section of the recipe, with `backbone` and `weights`.
        inputs: Directories of the input stages.

    Returns:
        The classifier if `weights` is "classifier", else None; and the options `backbone` and `weights`.
    """
    if config.weights != "classifier":
        return None, {"backbone": config.backbone, "weights": config.weights}
    classifier = load_model(inputs["classify"] / CLASSIFIER)
    # "mobilenet" gets the width of the weights file from which the classifier started.
    own = config.backbone not in (None, "mobilenet")
    return classifier, {"backbone": config.backbone if own else classifier.backbone, "weights": None}


def start_from_classifier(
    layers: Sequence[keras.layers.Layer], classifier: keras.Model, section: str, network: str
) -> None:
    """Copy the weights of the layers that both networks have, by name.

    Args:
        layers: Layers of the other network's backbone.
        classifier: The trained classifier.
        section: Section of the recipe with `weights: classifier`, for messages.
        network: Name of the other network, for messages.

    Raises:
        InputError: A common layer has different shapes, or there is no common layer.
    """
    source = {layer.name: layer for layer in classifier.layers if layer.weights}
    taken = [layer for layer in layers if layer.name in source]
    if not taken:
        raise InputError(
            f"`{section}.weights: classifier`: `{network}` has no layer in common with the classifier; use a "
            f"network on the classifier's backbone, or `{section}.weights: null`"
        )
    for layer in taken:
        values = source[layer.name].get_weights()
        shapes = [[tuple(array.shape) for array in arrays] for arrays in (layer.weights, values)]
        if shapes[0] != shapes[1]:
            raise InputError(
                f"`{section}.weights: classifier`: layer `{layer.name}` of `{network}` has shapes {shapes[0]}, the "
                f"classifier's {shapes[1]}; use the network's published width, or `{section}.weights: null`"
            )
        layer.set_weights(values)
