"""What a layer or operation of a network does to the grid: wsseg's layers have a method, Keras' layers a table."""

import math
from typing import Any

import keras
from keras import layers

from wsseg.backbones.pointwise import POINTWISE
from wsseg.grid import IMAGE, Grid
from wsseg.layers.grid_rules import Rule, Unknown, resampled, same, whole_image, windowed


def output_grid(operation: Any, input_shape: tuple[int | None, ...]) -> Grid | Unknown:
    """Return what one call of a layer does to the grid.

    Args:
        operation: A layer, or an operation of a functional model.
        input_shape: Shape of the input whose grid is followed, `(B, h, w, C)`; None for a size that is not known.

    Returns:
        Where the cells of the (first) output look, in cells of that input: cell `i` at `stride * i + centre`. Or the
        reason why this is unknown.

    Example:
        >>> output_grid(keras.layers.MaxPooling2D(2), (None, 8, 8, 3))
        Grid(stride_hw=(2.0, 2.0), centre_hw=(0.5, 0.5))
        >>> output_grid(keras.layers.Resizing(4, 4), (None, 8, 8, 3)).value
        'the layer resamples, and where its cells then look is not computed'
    """
    rule = rule_of(operation)
    return Unknown.NO_RULE if rule is None else rule(operation, input_shape)


def rule_of(operation: Any) -> Rule | None:
    """Return the rule of a layer or operation: its own `output_grid`, or its entry in the table; None without one.

    A subclass of a Keras layer that has a `call` of its own may do anything: it has no rule.
    """
    kind = type(operation)
    if hasattr(kind, "output_grid"):
        return kind.output_grid
    for base in kind.__mro__:
        if base in KERAS:
            return KERAS[base] if kind.call is base.call else None
    return NAMED.get(kind.__name__) if kind.__module__.startswith("keras.") else None


def padded(layer: layers.ZeroPadding2D, input_shape: tuple[int | None, ...]) -> Grid:
    """Return the grid of an input with zeros added around it."""
    (top, _), (left, _) = layer.padding
    return Grid((1.0, 1.0), (float(-top), float(-left)))


def cropped(layer: layers.Cropping2D, input_shape: tuple[int | None, ...]) -> Grid:
    """Return the grid of a cropped input."""
    (top, bottom), (left, right) = layer.cropping
    seen = [
        (before - 0.5 if before else -math.inf, side - after - 0.5 if after and side else math.inf)
        for before, after, side in ((top, bottom, input_shape[1]), (left, right, input_shape[2]))
    ]
    return Grid((1.0, 1.0), (float(top), float(left)), seen_hw=tuple(seen))


def in_turn(model: keras.Sequential, input_shape: tuple[int | None, ...]) -> Grid | Unknown:
    """Return the grid of a chain of layers (ConvNeXt's downsampling)."""
    grid = IMAGE
    for layer in model.layers:
        found = output_grid(layer, layer.input.shape)
        if isinstance(found, Unknown):
            return found
        grid = grid.through(found)
    return grid


KERAS: dict[type, Rule] = {
    layers.Conv2D: windowed,
    layers.DepthwiseConv2D: windowed,
    layers.SeparableConv2D: windowed,
    layers.MaxPooling2D: windowed,
    layers.AveragePooling2D: windowed,
    layers.ZeroPadding2D: padded,
    layers.Cropping2D: cropped,
    layers.Conv2DTranspose: resampled,
    layers.UpSampling2D: resampled,
    layers.Resizing: resampled,
    layers.Reshape: resampled,
    layers.Permute: resampled,
    layers.GlobalAveragePooling2D: whole_image,
    layers.GlobalMaxPooling2D: whole_image,
    keras.Sequential: in_turn,
}
"""Keras' layers by class; a subclass with the same `call` follows the rule of the nearest class above it."""

NAMED: dict[str, Rule] = {
    **dict.fromkeys(POINTWISE, same),
    "CustomScaleLayer": same,  # of InceptionResNetV2 in keras.applications
    "AdaptiveAveragePooling2D": whole_image,
    "Reshape": resampled,
    "Resize": resampled,
}
"""By name: Keras' operations, whose classes are not exported, and layers that some versions of Keras lack."""
