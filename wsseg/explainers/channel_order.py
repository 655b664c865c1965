"""Models that take images with the channels first: recognised by their layers, and given a channels-last input."""

import math
from collections.abc import Sequence
from typing import Any

import keras

from wsseg.backbones.alignment import grid_of
from wsseg.backbones.layer_grids import rule_of
from wsseg.grid import Grid
from wsseg.layers.grid_rules import same

TO_LAST = (0, 2, 3, 1)
TO_FIRST = (0, 3, 1, 2)


def takes_channels_first(flat: keras.Model, image: keras.KerasTensor) -> bool:
    """Return whether an input of a model is `(B, C, H, W)`.

    The first layer that does more than treat each value alone decides: by its `data_format`, or by the order into which
    it brings the axes. If it says neither, and the sizes look like channels first, the place of the model's last
    spatial tensor is measured.

    Args:
        flat: A flat functional model.
        image: One of its inputs, of rank 4.

    Example:
        >>> image = keras.Input((3, 32, 48))
        >>> model = keras.Model(image, keras.layers.Permute((2, 3, 1))(image))
        >>> takes_channels_first(model, image)
        True
    """
    if image.shape[1] is None or image.shape[1] > (image.shape[3] or math.inf):
        return False
    behind, last = {id(image)}, None
    decided = False
    for depth in sorted(flat._nodes_by_depth, reverse=True):
        for node in flat._nodes_by_depth[depth]:
            if node.is_input or not behind & {id(x) for x in node.input_tensors}:
                continue
            if not decided:
                answer = _order_of(getattr(node.operation, "wrapped", node.operation))
                if answer is not None:
                    return answer
                decided = rule_of(getattr(node.operation, "wrapped", node.operation)) is not same
            behind |= {id(x) for x in node.outputs}
            last = next((x for x in node.outputs if len(x.shape) == 4 and 1 not in x.shape[1:]), last)
    if last is None or not may_have_channels_first(image.shape):
        return False
    first, usual = (isinstance(grid_of(flat, last, image, axes), Grid) for axes in ((2, 3), (1, 2)))
    return first and not usual


def may_have_channels_first(shape: Sequence[int | None]) -> bool:
    """Return whether the sizes of images are more likely `(B, C, H, W)` than `(B, H, W, C)`."""
    return shape[1] in (1, 3, 4) and all(side is None or side > 4 for side in shape[2:])


def _order_of(operation: Any) -> bool | None:
    """Return whether an operation takes channels first; None if it doesn't say."""
    form = getattr(operation, "data_format", None)
    if form in ("channels_first", "channels_last"):
        return form == "channels_first"
    kind = type(operation).__name__
    if kind == "Permute":
        return True if tuple(operation.dims) == (2, 3, 1) else None
    if kind == "Transpose" and operation.axes is not None:
        return True if tuple(axis % 4 for axis in operation.axes) == TO_LAST else None
    if kind == "Moveaxis":
        moved = [(x,) if isinstance(x, int) else tuple(x) for x in (operation.source, operation.destination)]
        return True if [tuple(x % 4 for x in one) for one in moved] == [(1,), (3,)] else None
    return None


def with_channels_last(flat: keras.Model, index: int) -> keras.Model:
    """Return the same model with an input `(B, H, W, C)`, which it brings into the order `(B, C, H, W)` itself.

    Args:
        flat: A flat functional model.
        index: Index of the input among the model's inputs.
    """
    inputs = [keras.Input(batch_shape=x.shape, dtype=x.dtype) for x in flat.inputs]
    batch, channels, height, width = flat.inputs[index].shape
    inputs[index] = keras.Input(batch_shape=(batch, height, width, channels), dtype=flat.inputs[index].dtype)
    given = list(inputs)
    given[index] = keras.ops.transpose(inputs[index], TO_FIRST)
    return keras.Model(inputs, flat._run_through_graph(given, operation_fn=lambda operation: operation))


def feature_order(grid: Any) -> tuple[int, ...]:
    """Return the order into which a tensor's axes are brought to be `(B, h, w, C)`; as they are if it isn't known."""
    axes = grid.axes if isinstance(grid, Grid) else (1, 2)
    (channels,) = {1, 2, 3} - set(axes)
    return (0, *axes, channels)


def permuted(tensor: Any, order: Sequence[int]) -> Any:
    """Return a tensor with its axes in another order."""
    return tensor if tuple(order) == (0, 1, 2, 3) else keras.ops.transpose(tensor, tuple(order))
