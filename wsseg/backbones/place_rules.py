"""The grid of a layer's output from the grids of its inputs, by the layer's rule; axes in any order."""

from collections.abc import Sequence
from typing import Any

from wsseg.backbones.layer_grids import output_grid, rule_of
from wsseg.grid import Grid
from wsseg.layers.grid_rules import Unknown, same

Shape = tuple[int | None, ...]


def through_rule(layer: Any, grid: Grid, shape: Shape, output: Shape) -> Grid | Unknown:
    """Return the grid of a layer's output.

    Args:
        layer: A layer or operation.
        grid: Grid of its input.
        shape: Shape of that input, of rank 4.
        output: Shape of the output.

    Returns:
        The grid; or `Unknown.NO_RULE` also where the layer's rule doesn't hold: for a pointwise layer that joins or
        mixes along height or width, or a window along other axes than the image's height and width.
    """
    rule = rule_of(layer)
    if rule is same:
        sizes = [shape[axis] == output[axis] for axis in grid.axes if None not in (shape[axis], output[axis])]
        if not all(sizes) or _mixed_axis(layer) % 4 in grid.axes:
            return Unknown.NO_RULE
        return grid
    spatial = (2, 3) if getattr(layer, "data_format", None) == "channels_first" else (1, 2)
    if set(grid.axes) != set(spatial):
        return Unknown.NO_RULE
    rows, columns = spatial
    found = output_grid(
        layer, (shape[0], shape[rows], shape[columns], shape[({1, 2, 3} - set(spatial)).pop()])
    )
    if isinstance(found, Unknown):
        return found
    order = [spatial.index(axis) for axis in grid.axes]
    strides, centres = ([pair[i] for i in order] for pair in (found.stride_hw, found.centre_hw))
    seen = None if found.seen_hw is None else tuple(found.seen_hw[i] for i in order)
    return grid.through(Grid(tuple(strides), tuple(centres), grid.axes, seen))


def _mixed_axis(layer: Any) -> int:
    """Return the axis along which a pointwise layer mixes or joins values; 0, the batch, for none."""
    kind = type(layer).__name__
    if kind == "Dense":
        return 3
    return layer.axis if kind == "Concatenate" else 0


def agreed(grids: Sequence[Grid | Unknown | None], output: Shape) -> Grid | Unknown:
    """Return the grid of cells that several inputs meet in.

    Inputs whose values come from the whole image have no place of their own. The first of the others gives the grid;
    they may differ by less than a cell, as in residual networks whose shortcut skips a padding.

    Args:
        grids: Grid of the output as each input gives it.
        output: Shape of the output.
    """
    known = [x for x in grids if isinstance(x, Grid)]
    if Unknown.MIXED in grids or Unknown.VARIES in grids:
        return Unknown.MIXED
    if not known:
        return next((x for x in grids if x is not None), Unknown.MIXED)
    first = known[0]
    for other in known[1:]:
        if other.axes != first.axes:
            return Unknown.MIXED
        for axis in (0, 1):
            last = (output[first.axes[axis]] or 8) - 1
            start = other.centre_hw[axis] - first.centre_hw[axis]
            end = start + (other.stride_hw[axis] - first.stride_hw[axis]) * last
            if max(abs(start), abs(end)) > max(abs(first.stride_hw[axis]), 1e-3):
                return Unknown.MIXED
    return first
