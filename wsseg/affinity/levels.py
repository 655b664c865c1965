"""Levels of a backbone on the grid of one of them."""

from typing import Any

import keras

from wsseg.backbones.alignment import grids
from wsseg.backbones.placement import place
from wsseg.layers.bilinear_resize import BilinearResizeTo


def on_one_grid(network: keras.Model, level: str, onto: str, tensor: Any, name: str) -> Any:
    """Resize what was made of a level bilinearly to another level's cells; the same where they are its own.

    Args:
        network: A backbone.
        level: That `tensor` was made of, at its size.
        onto: The level whose cells are wanted.
        tensor: Symbolic, `(B, h, w, C)`.
        name: Of the layer.

    Returns:
        Symbolic, `(B, h', w', C)`.
    """
    found = grids(network)
    if found[id(network.output[level])] == found[id(network.output[onto])]:
        return tensor
    return BilinearResizeTo(**place(network, level, onto), name=name)([tensor, network.output[onto]])
