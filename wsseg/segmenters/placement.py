"""How far a resizing must move a backbone's features so that they lie where their cells look."""

import keras

from wsseg.backbones.alignment import IMAGE, grids


def shift_hw(network: keras.Model, level: str, onto: str | None = None) -> tuple[float, float]:
    """Return the `shift_hw` of a `BilinearResizeTo` that draws a level of a backbone.

    Args:
        network: A backbone (`wsseg.backbones.create`).
        level: Whose features (or what was made of them at the same size) are resized.
        onto: The level whose size they get; None for the image's.

    Returns:
        In cells of `level`; 0 for a network that looks where half-pixel resizing assumes.
    """
    found = grids(network)
    of = found[id(network.output[level])]
    to = IMAGE if onto is None else found[id(network.output[onto])]
    pairs = zip(to.displacement_hw, of.displacement_hw, of.stride_hw)
    return tuple((there - here) / stride for there, here, stride in pairs)
