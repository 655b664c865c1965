"""Where in the image the cells of an affinity network's output look."""

import keras

from wsseg.backbones.alignment import grids
from wsseg.grid import Grid

OUTPUTS = {"psa": "affinity_level_3", "irn": "edge_level_2_conv"}
"""Method -> the layer whose grid of cells equals that of the network's output."""


def grid_of(model: keras.Model, method: str) -> Grid:
    """Return where the cells of a network's output look.

    Args:
        model: A network from `wsseg.affinity.create`.
        method: Its method, "psa" or "irn".
    """
    return grids(model)[id(model.get_layer(OUTPUTS[method]).output)]
