"""Resize a level of a backbone to the grid of another level."""

from typing import Any

import keras

from wsseg.backbones.alignment import grids
from wsseg.backbones.placement import place
from wsseg.layers.bilinear_resize import BilinearResizeTo


def on_one_grid(network: keras.Model, level: str, onto: str, tensor: Any, name: str) -> Any:
    """Resize a tensor bilinearly from the cells of one level to those of another; keep it if the cells are the same.

    Args:
        network: A backbone.
        level: The level on whose cells `tensor` lies.
        onto: The level whose cells are wanted.
        tensor: Symbolic tensor, `(B, h, w, C)`.
        name: Name of the resizing layer.

    Returns:
        Symbolic tensor, `(B, h', w', C)`.
    """
    found = grids(network)
    if found[id(network.output[level])] == found[id(network.output[onto])]:
        return tensor
    return BilinearResizeTo(**place(network, level, onto), name=name)([tensor, network.output[onto]])
