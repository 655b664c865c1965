"""Where the cells of a layer look, in a model whose graph is unknown: measured in two runs on random images."""

from collections.abc import Callable, Sequence
from contextlib import ExitStack
from typing import Any

import keras
import numpy as np

from wsseg.backbones.measured_part import place_in_run, random_batch, same_twice
from wsseg.backbones.recorded_calls import tapped
from wsseg.grid import Grid
from wsseg.layers.grid_rules import Unknown

IMAGES = 3
"""Images of a run."""


def place_in_call(
    model: keras.Model,
    layer: keras.layers.Layer | None,
    packed: Callable[[Sequence[Any]], Any],
    inputs: Sequence[np.ndarray],
    image: int,
    axes: tuple[int, int],
) -> Grid | Unknown:
    """Measure the grid of a layer's output in a call of a model; the model's state doesn't change.

    Args:
        model: A built model.
        layer: A layer of it; its last call counts. None for the last tensor of rank 4 of any layer.
        packed: Brings the inputs into the structure that the model takes.
        inputs: Inputs as the model takes them; only their shapes and dtypes are used.
        image: Index of the image among them.
        axes: Axes of the image that are height and width.

    Returns:
        The grid; or the reason why there is none.
    """
    layers = [layer] if layer is not None else model._flatten_layers(include_self=False)
    rng = np.random.default_rng(0)
    found = []
    with keras.StatelessScope():
        for _ in range(2):
            given = [
                random_batch((IMAGES, *x.shape[1:]), str(x.dtype), rng, index == image)
                for index, x in enumerate(inputs)
            ]
            try:
                found.append(
                    place_in_run(
                        lambda given=given: _last_output(model, layers, packed(given)),
                        [given[image]],
                        [Grid((1.0, 1.0), (0.0, 0.0), axes)],
                        [model],
                    )
                )
            except Exception:  # whatever the user's model raises for random numbers
                return Unknown.MIXED
    return same_twice(*found, (None, None, None, None))


def _last_output(model: keras.Model, layers: Sequence[keras.layers.Layer], packed: Any) -> Any:
    """Call a model; return the last tensor of rank 4 that one of the layers has computed."""
    taken: list[Any] = []

    def take(output: Any, args: Any, kwargs: Any) -> Any:
        if len(getattr(output, "shape", ())) == 4:
            taken.append(output)
        return output

    with ExitStack() as stack:
        for layer in layers:
            stack.enter_context(tapped(layer, take))
        model(packed, training=False)
    return taken[-1]
