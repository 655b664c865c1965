"""The grid of a symbolic tensor, measured by running the part of a model between it and tensors of known grid."""

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from wsseg.backbones.place_rules import agreed
from wsseg.backbones.recorded_calls import recorded, with_rules
from wsseg.grid import Grid
from wsseg.layers.grid_rules import Unknown

SIZES = (
    ((32, 48), (48, 40)),
    ((32, 32), (48, 48)),  # for operations that take square maps only
    ((28, 42), (42, 49)),
    ((28, 28), (42, 42)),
)
"""Sizes that are tried where the model leaves them open; the two runs of a pair must agree. They are small: TensorFlow
2.21 may crash in the gradient of a 1 x 1 convolution of stride 2 from 56 pixels on."""

DEEP_SIZES = (((64, 96), (96, 128)), ((64, 64), (96, 96)), ((224, 224), (192, 192)))
"""The same for parts that contain known layers: multiples of their strides. No gradient passes through these layers."""

VALUES = 2**21
"""Number of values that the largest random tensor may have."""


def measured_part(
    sources: Sequence[tuple[keras.KerasTensor, Grid]],
    others: Sequence[keras.KerasTensor],
    tensor: keras.KerasTensor,
) -> Grid | Unknown:
    """Measure where in the image the cells of a tensor look.

    The part of the model between `sources` and `tensor` runs twice on random numbers, with its own weights; where its
    size is open, at two sizes. Layers inside other layers are followed by their rules as far as they have one. The
    model's state doesn't change.

    Args:
        sources: The tensors from which the part is computed, and their grids in the image.
        others: Further tensors that the part needs: other inputs, or values without a place.
        tensor: The tensor whose grid is wanted, of rank 4.

    Returns:
        The grid; `Unknown.VARIES` if the two runs differ; or another reason why there is none.
    """
    if not sources:
        return Unknown.MIXED
    inputs = [x for x, _ in sources]
    try:
        part = keras.Model([*inputs, *others], tensor)
    except ValueError:  # a tensor that can be no input of a model
        return Unknown.MIXED
    open_sizes = any(x.shape[axis] is None for x, grid in sources for axis in grid.axes)
    sizes = (*DEEP_SIZES, *SIZES) if with_rules(part.operations) else (*SIZES, *DEEP_SIZES)
    for pair in sizes if open_sizes else sizes[:1]:
        # One scope for both runs: a layer that draws random numbers draws others in the second.
        with keras.StatelessScope():
            found = _run(part, sources, others, pair[0], seed=0)
            again = _run(part, sources, others, pair[1], seed=1) if isinstance(found, Grid) else found
        if found is not None and again is not None:
            both = same_twice(found, again, tensor.shape)
            if open_sizes and isinstance(both, Grid) and both.seen_hw is not None:
                # How far the cells see at the end depends on the size.
                both = replace(both, seen_hw=tuple((low, math.inf) for low, _ in both.seen_hw))
            return both
    return Unknown.MIXED


def same_twice(
    first: Grid | Unknown, second: Grid | Unknown, shape: tuple[int | None, ...]
) -> Grid | Unknown:
    """Return what two runs have found if it is the same to a quarter of a cell."""
    if isinstance(first, Unknown) or isinstance(second, Unknown):
        return first if first is second else Unknown.VARIES if Grid in (type(first), type(second)) else first
    if first.axes != second.axes:
        return Unknown.VARIES
    for axis in (0, 1):
        last = (shape[first.axes[axis]] or 8) - 1
        start = second.centre_hw[axis] - first.centre_hw[axis]
        end = start + (second.stride_hw[axis] - first.stride_hw[axis]) * last
        if max(abs(start), abs(end)) > max(0.25 * abs(first.stride_hw[axis]), 0.1):
            return Unknown.VARIES
    return first


def _run(
    part: keras.Model,
    sources: Sequence[tuple[keras.KerasTensor, Grid]],
    others: Sequence[keras.KerasTensor],
    size_hw: tuple[int, int],
    seed: int,
) -> Grid | Unknown | None:
    """Measure once; None if the part doesn't run at this size."""
    rng = np.random.default_rng(seed)
    finest = [min(abs(grid.stride_hw[axis]) for _, grid in sources) for axis in (0, 1)]
    shapes = []
    for symbolic, grid in sources:
        shape = list(symbolic.shape)
        for axis in (0, 1):
            if shape[grid.axes[axis]] is None:
                shape[grid.axes[axis]] = -int(-size_hw[axis] * finest[axis] // abs(grid.stride_hw[axis]))
        shapes.append([8 if side is None else side for side in shape[1:]])
    batch = _batch([x for x, _ in sources], shapes, part.output.shape)
    values = [
        random_batch((batch, *shape), keras.backend.standardize_dtype(x.dtype), rng, _is_input(x))
        for (x, _), shape in zip(sources, shapes)
    ]
    rest = [
        random_batch(
            (batch, *(8 if side is None else side for side in x.shape[1:])),
            keras.backend.standardize_dtype(x.dtype),
            rng,
            _is_input(x),
        )
        for x in others
    ]
    grids = [grid for _, grid in sources]
    try:
        return place_in_run(lambda: part([*values, *rest], training=False), values, grids, part.operations)
    except Exception:  # whatever the user's layers raise for random numbers or this size
        return None


def place_in_run(
    run: Callable[[], Any], values: Sequence[Any], grids: Sequence[Grid], operations: Iterable[Any]
) -> Grid | Unknown:
    """Run something once and measure where the cells of its result look.

    Args:
        run: Computes a tensor `(B, ...)` from `values`.
        values: Eager tensors `(B, ...)` of rank 4.
        grids: The grid of each.
        operations: Layers that `run` calls; those inside them are followed by their rules.

    Returns:
        The grid, or the reason why there is none.
    """
    with tf.GradientTape(persistent=True) as tape:
        tape.watch([x for x in values if x.dtype.is_floating])
        with recorded(tape, [], operations) as recording:
            output = run()
    if len(output.shape) != 4 or output.shape[0] != values[0].shape[0]:
        return Unknown.MIXED
    placed = []
    for value, grid in zip(values, grids):
        recording.known = [(value, Grid((1.0, 1.0), (0.0, 0.0), grid.axes))]
        found = recording.place(output)
        placed.append(grid.through(found) if isinstance(found, Grid) else found)
    return agreed(placed, output.shape)


def _is_input(tensor: keras.KerasTensor) -> bool:
    history = tensor._keras_history
    return history.operation._inbound_nodes[history.node_index].is_input


def random_batch(shape: tuple[int, ...], dtype: str, rng: np.random.Generator, image: bool) -> tf.Tensor:
    """Return random numbers whose range differs from image to image: [0, 1], around 0, [0, 255].

    Args:
        shape: `(B, ...)`.
        dtype: Dtype of the tensor; whole numbers are 0 or 1.
        rng: Source of the numbers.
        image: Whether they stand for a model's input; features have no large values.
    """
    if not dtype.startswith(("float", "bfloat")):
        return tf.cast(rng.integers(0, 2, shape), dtype)
    images = rng.random(shape, dtype=np.float32)
    kinds = 3 if image else 2
    for index in range(shape[0]):
        if index % kinds == 1:
            images[index] = rng.standard_normal(shape[1:], dtype=np.float32)
        elif index % kinds == 2:
            images[index] *= 255
    return tf.cast(images, dtype)


def _batch(symbolic: Sequence[Any], shapes: Sequence[Sequence[int]], output: tuple[int | None, ...]) -> int:
    """Return how many images run at once: more where few channels could hide what a cell depends on."""
    fixed = [x.shape[0] for x in symbolic if x.shape[0] is not None]
    if fixed:
        return fixed[0]
    largest = max(int(np.prod(shape)) for shape in shapes)
    return int(np.clip(24 // max(output[3] or 1, 1), 3, max(3, VALUES // largest)))
