"""Where in the image the cells of an affinity network's output look."""

import keras

from wsseg.backbones.alignment import grids
from wsseg.grid import Grid

OUTPUTS = {"psa": "affinity_level_3", "irn": "edge_level_2_conv"}
"""Method -> the layer whose cells the network's output has."""


def grid_of(model: keras.Model, method: str) -> Grid:
    """Return where the cells of a network's output look.

    Args:
        model: From `wsseg.affinity.create`.
        method: "psa" or "irn".
    """
    return grids(model)[id(model.get_layer(OUTPUTS[method]).output)]
