"""What all explainers share: inputs, targets, one trace a shape, resizing and scaling of the maps.

A method is a subclass with one formula, `maps`; the split, the batch's form and the scaling are here.
"""

from collections import OrderedDict
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from wsseg.errors import InputError
from wsseg.explainers.flattening import is_graph
from wsseg.explainers.graph_network import GraphNetwork
from wsseg.explainers.network import Network, Outputs
from wsseg.explainers.subclassed_network import SubclassedNetwork
from wsseg.explainers.targets import Target, as_target
from wsseg.interpolation import placed

EPSILON = 1e-5
"""Added to a map's maximum before dividing by it (IRN's value): a map without evidence stays 0."""

KEPT = 8
"""Compiled functions that are kept, the latest used: one for each kind of target."""


class Score:
    """A target with its arrays: the model's outputs -> `(B, T)` float32."""

    def __init__(self, target: Target, arrays: Sequence[Any], output: str | int | None = None):
        self.target, self.arrays, self.output = target, tuple(arrays), output

    def __call__(self, outputs: Outputs, own: bool = False) -> tf.Tensor:
        """Score outputs of as many images as the arrays have rows, or of several versions of each, image by image.

        Args:
            outputs: Of the model.
            own: Take the model's own outputs (probabilities) where the target would take logits.
        """
        return self.target.evaluate(outputs, self.arrays, own, self.output)

    def of_image(self, index: int) -> "Score":
        """Return the score of one image of the batch."""
        rows = [x if len(x) == 1 else x[index : index + 1] for x in self.arrays]
        return Score(self.target, rows, self.output)


class Explainer:
    """Explain a model's scores by maps over the image.

    Args:
        model: Any Keras model with an image among its inputs: functional or sequential, nested ones included, or
            subclassed with a named layer (then its own outputs are explained, a final softmax included).
        layer: The layer to explain, or None for the last spatial features that the head reads.
        output: Name or position of the output to explain, where the model has several.

    Attributes:
        layer: Name of the explained layer.
        grid: Where in the image its cells look, or None where that can't be told.
        relative: True where a map's scale depends on the size of the image it was made from, so that maps of
            several scales must be scaled before they are summed.
        at_layer: False where the image itself is explained.
        in_graph: False where `maps` runs many batches through compiled functions of its own.
    """

    relative = True
    at_layer = True
    in_graph = True

    def __init__(self, model: keras.Model, layer: str | None = None, output: str | int | None = None):
        if is_graph(model):
            self.network: Network = GraphNetwork(model, layer, output, self.at_layer)
        else:
            self.network = SubclassedNetwork(model, layer, self.at_layer)
        self.output = output
        self._functions: OrderedDict[Any, Callable] = OrderedDict()

    @property
    def layer(self) -> str:
        """Name of the explained layer."""
        return self.network.layer

    @property
    def grid(self):
        """Where in the image the layer's cells look, or None where that can't be told."""
        return self.network.grid

    @property
    def input_size(self) -> tuple[int | None, int | None]:
        """`(H, W)` that the model takes; None for any."""
        return self.network.input_size

    def maps(self, inputs: Sequence[Any], score: Score) -> tf.Tensor:
        """The method's formula.

        Args:
            inputs: The model's inputs, flat; the image `(B, H, W, C)` is number `self.network.image`.
            score: The model's outputs -> the scores to explain, `(B, T)`.

        Returns:
            `(B, T, h, w)` float32, unscaled, negative values kept.
        """
        raise TypeError(f"{type(self).__name__} must define `maps`")

    def raw(self, images: Any, targets: Any) -> np.ndarray:
        """Return the unscaled maps at the layer's own size, after the method's ReLU where it has one.

        Args:
            images: `(B, H, W, C)`, commonly RGB in [0, 255] (for a model with preprocessing of its own inside), any
                real dtype; for a model of several inputs a list in their order, or a dict by their names.
            targets: `(B,)` class indices, or `(B, T)` for several classes of each image at once; -1 where an image has
                fewer than T, whose map is 0. Or a callable on the model's output, a function or a `Target` of
                `wsseg.explainers.targets`: -> `(B,)` scores; or a list of T such callables.

        Returns:
            `(B, h, w)`, or `(B, T, h, w)` for several scores an image, float32.

        Raises:
            InputError: Shapes or class indices do not fit the model, or a map is not a number.
        """
        inputs, target, single = self.prepared(images, targets)
        maps = self._checked(self.computed(inputs, target).numpy(), target)
        return maps[:, 0] if single and maps.shape[1] == 1 else maps

    def __call__(self, images: Any, targets: Any) -> np.ndarray:
        """Return the maps at the image's size, each scaled by its maximum.

        Args:
            images: As of `raw`.
            targets: As of `raw`.

        Returns:
            `(B, H, W)` or `(B, T, H, W)` float32 in [0, 1]; all 0 where nothing speaks for the score.
        """
        inputs, target, single = self.prepared(images, targets)
        maps = np.maximum(self._checked(self.computed(inputs, target).numpy(), target), 0)
        maps = scaled(self.enlarged(maps, inputs[self.network.image].shape[1:3]))
        return maps[:, 0] if single and maps.shape[1] == 1 else maps

    def enlarged(self, maps: np.ndarray, size_hw: tuple[int, int]) -> np.ndarray:
        """Read maps `(B, T, h, w)` at all pixels of the image: `(B, T, H, W)`; the same where they have its size."""
        if maps.shape[-2:] == tuple(size_hw) and self.grid is not None:
            return maps
        rows, columns = (
            self.placement(np.arange(size), axis, maps.shape[2 + axis], size)
            for axis, size in enumerate(size_hw)
        )
        return rows @ (maps @ columns.T)

    def computed(self, inputs: Sequence[np.ndarray], target: Target) -> tf.Tensor:
        """Return the raw maps `(B, T, h, w)`, by the compiled function of this kind of target."""
        if not self.in_graph:
            return self.maps(inputs, Score(target, target.arrays, self.output))
        function = self.compiled(
            target.key, lambda inputs, arrays: self.maps(inputs, Score(target, arrays, self.output))
        )
        return function([tf.constant(x) for x in inputs], [tf.constant(x) for x in target.arrays])

    def compiled(self, key: Any, function: Callable) -> Callable:
        """Return the compiled form of a function, made once for each key; the `KEPT` latest used are kept."""
        if key not in self._functions:
            # As a partial: TensorFlow counts the traces of all functions of the same code together, and warns.
            self._functions[key] = tf.function(partial(function), reduce_retracing=True, autograph=False)
            if len(self._functions) > KEPT:
                self._functions.popitem(last=False)
        self._functions.move_to_end(key)
        return self._functions[key]

    def placement(self, pixels: np.ndarray, axis: int, cells: int, size: int) -> np.ndarray:
        """Return the matrix that reads a row of the layer's cells at pixels of the image.

        Each cell is put where it looks (`wsseg.backbones.alignment`); where that can't be told, the cells
        are spread evenly, as half-pixel resizing does.

        Args:
            pixels: `(n,)` pixel indices along the axis; fractions allowed.
            axis: 0 for height, 1 for width.
            cells: The map's length along the axis.
            size: The image's.

        Returns:
            `(n, cells)` float32.
        """
        if self.grid is not None:
            return placed(pixels, cells, self.grid.stride_hw[axis], self.grid.centre_hw[axis])
        stride = size / cells
        return placed(pixels, cells, stride, (stride - 1) / 2)

    def prepared(self, images: Any, targets: Any) -> tuple[list[np.ndarray], Target, bool]:
        """Check what the user gave.

        Returns:
            The inputs, flat; the target; and whether the caller wants one map an image, without the axis T.
        """
        network = self.network
        inputs = network.inputs(images)
        image, channels = inputs[network.image], network.channels or "C"
        if image.ndim != 4 or (network.channels is not None and image.shape[-1] != network.channels):
            raise InputError(
                f"`images` must be (B, H, W, {channels}); got {image.shape}; add a batch axis with images[None]"
            )
        if not len(image):
            raise InputError(f"`images` must hold an image or more; got {image.shape}")
        # Quick: one that is not finite makes the sum so. A sum of many large values may be infinite by itself.
        place = None if np.isfinite(image.sum()) else _broken(image)
        if place is not None:
            raise InputError(
                f"`images` must be finite numbers; image {place} of the batch holds NaN or infinity"
            )
        for axis, (got, wanted) in enumerate(zip(image.shape[1:3], network.input_size)):
            if wanted is not None and got != wanted:
                raise InputError(
                    f"`images` must be {network.input_size} (height, width) for this model; got "
                    f"{image.shape[1:3]}; resize them ({'height' if axis == 0 else 'width'} differs)"
                )
        for place, array in enumerate(inputs):
            if len(array) != len(image):
                raise InputError(f"input {place} has {len(array)} rows and there are {len(image)} images")
        if isinstance(targets, np.ndarray) and targets.ndim == 0:
            targets = targets[None]
        target, single = as_target(targets, len(image))
        target.check(network.spec, self.output)
        return inputs, target, single

    def _checked(self, maps: np.ndarray, target: Target) -> np.ndarray:
        """Refuse maps that are no numbers; empty those of absent scores."""
        absent = target.absent(len(maps))
        if absent is not None and absent.any():
            maps[absent] = 0
        wrong = ~np.isfinite(maps).all(axis=(1, 2, 3))
        if wrong.any():
            raise InputError(
                f"the maps of {wrong.sum()} of {len(maps)} images (first: number {np.argmax(wrong)}) at layer "
                f"`{self.layer}` are not finite numbers: the model's weights or its outputs hold NaN or infinity; "
                "check `model(images)`"
            )
        return maps


def scaled(maps: np.ndarray) -> np.ndarray:
    """Divide each map `(..., H, W)` without negative values by its maximum, in place; one that is all 0 stays 0."""
    for map_ in maps.reshape(
        -1, *maps.shape[-2:]
    ):  # map by map: twice as fast, since a map fits into the cache
        peak = map_.max()
        # Relative, not EPSILON: a weak map (gradient methods divide by the image's area) must reach 1 too.
        if peak > 0:
            np.divide(map_, peak, out=map_)
    return maps


def _broken(images: np.ndarray) -> int | None:
    """Return the number of the first image that holds NaN or infinity."""
    return next((number for number, one in enumerate(images) if not np.isfinite(one).all()), None)
