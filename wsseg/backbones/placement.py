"""The shift and step with which a resizing puts a backbone's features where their cells look."""

import keras

from wsseg.backbones.alignment import grids
from wsseg.grid import IMAGE


def place(network: keras.Model, level: str | None, onto: str | None = None) -> dict[str, tuple[float, float]]:
    """Return the arguments of a `BilinearResizeTo` (or `NearestResizeTo`) that resizes a level of a backbone.

    Args:
        network: A backbone (`wsseg.backbones.create`).
        level: The level to resize (its features, or a map of the same size computed from them); None for the image.
        onto: The level whose size is wanted; None for the image's size.

    Returns:
        `shift_hw`, in cells of `level`: 0 for a network whose cells look where half-pixel resizing assumes. `step_hw`,
        the distance between two pixels of the result in cells of `level`: the ratio of the strides. It equals the ratio
        of the sizes only where the strides divide the image's size.
    """
    found = grids(network)
    of = IMAGE if level is None else found[id(network.output[level])]
    to = IMAGE if onto is None else found[id(network.output[onto])]
    pairs = zip(to.displacement_hw, of.displacement_hw, of.stride_hw)
    return {
        "shift_hw": tuple((there - here) / stride for there, here, stride in pairs),
        "step_hw": tuple(there / here for there, here in zip(to.stride_hw, of.stride_hw)),
    }
