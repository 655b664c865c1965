"""Initialise a segmenter with the weights of another model, matched by layer name."""

from pathlib import Path
from typing import Any

import keras

from wsseg.errors import InputError
from wsseg.saved_models import load_model


def is_segmenter_file(weights: Any) -> bool:
    """Return whether `weights` names a saved model rather than a weights file of a backbone."""
    return isinstance(weights, str | Path) and Path(weights).suffix == ".keras"


def start_from(model: keras.Model, path: str | Path) -> list[str]:
    """Copy the weights of all layers that have the same name and shape in a saved model.

    The other layers keep their initial values. If FCN-16s starts from FCN-32s, only its new score layer is untrained
    (Long et al. 2015, section 4.2); if a network starts from one for other classes, only its classification layer.

    Args:
        model: Model to initialise; it is changed in place.
        path: A `.keras` file.

    Returns:
        The names of the layers whose weights were copied.

    Raises:
        InputError: There is no such file, or fewer than half of the layers fit; the message names the first layer that
            differs.
    """
    source = {name: layer for name, layer in _named_layers(load_model(Path(path))).items() if layer.weights}
    taken, misfit = [], None
    for layer in _named_layers(model).values():
        if not layer.weights:
            continue
        other = source.get(layer.name)
        shapes = [tuple(weight.shape) for weight in layer.weights]
        found = other and [tuple(weight.shape) for weight in other.weights]
        if shapes == found:
            layer.set_weights(other.get_weights())
            taken.append(layer.name)
        elif misfit is None:
            misfit = f"`{layer.name}` has shapes {shapes}, in the file {found or 'it does not exist'}"
    layers = sum(1 for layer in _named_layers(model).values() if layer.weights)
    if len(taken) < layers / 2:
        raise InputError(
            f"`weights`: {path} has another architecture than `{model.name}`: only {len(taken)} of {layers} layers "
            f"match; {misfit}"
        )
    return taken


def _named_layers(model: keras.Model) -> dict[str, keras.layers.Layer]:
    """Return a model's layers by name, a segmenter's second head included."""
    named = getattr(model, "named_layers", None)
    return named() if named else {layer.name: layer for layer in model.layers}
