"""Where a resizing must put a backbone's features so that they lie where their cells look."""

import keras

from wsseg.backbones.alignment import grids
from wsseg.grid import IMAGE


def place(network: keras.Model, level: str | None, onto: str | None = None) -> dict[str, tuple[float, float]]:
    """Return the arguments of a `BilinearResizeTo` (or nearest) that draws a level of a backbone.

    Args:
        network: A backbone (`wsseg.backbones.create`).
        level: Whose features (or what was made of them at the same size) are resized; None for the image.
        onto: The level whose size they get; None for the image's.

    Returns:
        `shift_hw`, in cells of `level`: 0 for a network that looks where half-pixel resizing assumes; and `step_hw`,
        cells of `level` from pixel to pixel of the result: the ratio of the strides, which that of the sizes is only
        where the strides divide the image's size.
    """
    found = grids(network)
    of = IMAGE if level is None else found[id(network.output[level])]
    to = IMAGE if onto is None else found[id(network.output[onto])]
    pairs = zip(to.displacement_hw, of.displacement_hw, of.stride_hw)
    return {
        "shift_hw": tuple((there - here) / stride for there, here, stride in pairs),
        "step_hw": tuple(there / here for there, here in zip(to.stride_hw, of.stride_hw)),
    }
