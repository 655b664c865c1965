"""A later stage's backbone starts from the classifier's."""

from collections.abc import Sequence

import keras

from wsseg.errors import InputError


def start_from_classifier(
    layers: Sequence[keras.layers.Layer], classifier: keras.Model, section: str, network: str
) -> None:
    """Copy the weights of the layers that both networks have, by name.

    Args:
        layers: Of the other network's backbone.
        classifier: The trained classifier.
        section: The recipe's section that asks for it with `weights: classifier`, for messages.
        network: Name of the other network, for messages.

    Raises:
        InputError: A layer of both has another shape, or there is none.
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
                f"classifier's {shapes[1]}; leave the network's width as published, or use `{section}.weights: null`"
            )
        layer.set_weights(values)
