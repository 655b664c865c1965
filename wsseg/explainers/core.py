"""The base class of all explainers: checks inputs and targets, traces once per shape, resizes and scales the maps.

A method is a subclass with one formula, `maps`. This file does the rest: input checks, compilation and scaling.
"""

import warnings
from collections import OrderedDict
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from wsseg.errors import InputError
from wsseg.explainers.checked_images import check_images
from wsseg.explainers.flattening import is_graph
from wsseg.explainers.network import Network
from wsseg.explainers.networks import network_for
from wsseg.explainers.replaced_weights import Replaced
from wsseg.explainers.saturation import may_saturate, warn_of_saturation
from wsseg.explainers.score import Score
from wsseg.explainers.targets import Target, as_target
from wsseg.interpolation import placed

EPSILON = 1e-5
"""Added to a map's maximum before the division by it (IRN's value), so that a map without evidence stays 0."""

KEPT = 8
"""Number of compiled functions that are kept, the most recently used first; each kind of target needs one."""


class Explainer:
    """Explain a model's scores by maps over the image.

    Args:
        model: Any Keras model with an image among its inputs. It may be functional or sequential, with nested models,
            or subclassed with a named layer; then its own outputs are explained, including a final softmax.
        layer: The layer to explain, or None for the last spatial features that the head reads; of a vision transformer,
            the tokens that its last attention reads. A name; if it is the name of several layers, a path, `base/conv`;
            a nested model's name for its output; a position in `model.layers`; or the layer itself. A layer that is
            called several times (a shared tower, as in siamese networks) is explained at its last call that depends on
            the image; `("conv", 0)` or the text `conv#0` stands for its first call. Its other calls stay as they are.
            A layer inside a custom layer is found too.
        output: Name or position of the output to explain, for a model with several outputs; `heads.age` for a nested
            one.
        image: Name or position of the explained image among the model's inputs, for a model with several images.
            None for the first image that the given layer, or else the explained output, depends on. Other inputs stay
            as they are.
        reshape: Grid of a vision transformer's tokens, `(h, w)`, or a function that lays them out; None to find it
            (`wsseg.explainers.token_network`).

    Attributes:
        layer: Name of the explained layer, with the number of its call if there are several: `conv#0`.
        grid: Where in the image the layer's cells look, or None if unknown; then cells are spread evenly, with a
            warning. If it depends on the image's size, it is that of the latest batch.
        relative: True if a map's scale depends on the size of its image. Maps of several image sizes must then be
            scaled before they are summed.
        at_layer: False if the image itself is explained.
        in_graph: False if `maps` runs many batches through compiled functions of its own.
    """

    relative = True
    at_layer = True
    in_graph = True

    def __init__(
        self,
        model: keras.Model,
        layer: Any = None,
        output: str | int | None = None,
        *,
        image: str | int | None = None,
        reshape: Any = None,
    ):
        self._create = partial(self.split, model, layer, output, reshape, image)
        self.network: Network = self._create()
        self.output = output
        self._replaced = Replaced(model)
        self._saturated: np.ndarray | None = None
        self._warned = False
        self._functions: OrderedDict[Any, Callable] = OrderedDict()

    def split(self, model: keras.Model, layer: Any, output: Any, reshape: Any, image: Any) -> Network:
        """Split the model where the method explains it; for the arguments see the class."""
        return network_for(model, layer, output, self.at_layer, reshape, image)

    @property
    def layer(self) -> str:
        """Name of the explained layer."""
        return self.network.layer

    @property
    def grid(self):
        """Where in the image the layer's cells look, or None if unknown."""
        return self.network.grid

    @property
    def input_size(self) -> tuple[int | None, int | None]:
        """`(H, W)` that the model takes; a side is None if it may have any length."""
        return self.network.input_size

    def maps(self, inputs: Sequence[Any], score: Score) -> tf.Tensor:
        """The method's formula.

        Args:
            inputs: The model's inputs as a flat list; the image `(B, H, W, C)` is at index `self.network.image`.
            score: Function from the model's outputs to the scores to explain, `(B, T)`.

        Returns:
            `(B, T, h, w)` float32, unscaled; negative values are kept.
        """
        raise TypeError(f"{type(self).__name__} must define `maps`")

    def raw(self, images: Any, targets: Any = None) -> np.ndarray:
        """Return the unscaled maps at the layer's own size, after the method's ReLU if it has one.

        Args:
            images: `(B, H, W, C)` of any real dtype, in the model's input range: RGB in [0, 255] if the model contains
                its preprocessing. An array, a tensor of any framework, or a list of equally large images. For a
                model with several inputs: a list in their order, or a dict by their names.
            targets: `(B,)` class indices, or `(B, T)` for several classes per image; one index for all images; class
                names, if the model has an attribute `class_names`. An image with fewer than T classes is filled up
                with -1, which gives a map of 0; lists of different lengths are filled up so. Or a function of the
                model's output, or a `Target` of `wsseg.explainers.targets`, that returns `(B,)` scores; or a list of
                T of these. None for the class with the highest score of each image; `targets_of` returns it.

        Returns:
            `(B, h, w)`, or `(B, T, h, w)` for several scores per image, float32.

        Raises:
            InputError: Shapes or class indices do not fit the model, or a map holds NaN or infinity.
        """
        inputs, target, single = self.prepared(images, targets)
        maps = self._checked(self.computed(inputs, target).numpy(), target, len(inputs[self.network.image]))
        return maps[:, 0] if single and maps.shape[1] == 1 else maps

    def __call__(self, images: Any, targets: Any = None) -> np.ndarray:
        """Return the maps at the image's size, each divided by its maximum.

        Args:
            images: See `raw`.
            targets: See `raw`.

        Returns:
            `(B, H, W)` or `(B, T, H, W)` float32 in [0, 1]; a map is all 0 if nothing supports the score.
        """
        inputs, target, single = self.prepared(images, targets)
        maps = np.maximum(
            self._checked(self.computed(inputs, target).numpy(), target, len(inputs[self.network.image])), 0
        )
        maps = scaled(self.enlarged(maps, inputs[self.network.image].shape[1:3]))
        return maps[:, 0] if single and maps.shape[1] == 1 else maps

    def targets_of(self, images: Any) -> np.ndarray:
        """Return the class with the highest score of each image, which is explained if no target is given.

        Args:
            images: See `raw`.

        Returns:
            `(B,)` int32 class indices.

        Raises:
            InputError: The output is not `(B, K)` scores of classes, or the images do not fit the model.
        """
        return self._top_classes(self._checked_inputs(images))

    def _top_classes(self, inputs: Sequence[np.ndarray]) -> np.ndarray:
        shape = self.network.spec.one(self.output, logits=False).shape
        if len(shape) != 2:
            raise InputError(
                f"`targets` is None, which stands for the top class of an output (batch, classes), but this output is "
                f"{tuple(shape)}; give `targets`, such as one of `wsseg.explainers.targets`"
            )
        function = self.compiled(
            "outputs", lambda inputs: self.network.outputs(inputs).one(self.output, logits=False)
        )
        return function([tf.constant(x) for x in inputs]).numpy().argmax(axis=1).astype(np.int32)

    def enlarged(self, maps: np.ndarray, size_hw: tuple[int, int]) -> np.ndarray:
        """Resize maps `(B, T, h, w)` to the image: `(B, T, H, W)`; maps of its own pixels are returned unchanged."""
        rows, columns = (
            self.placement(np.arange(size), axis, maps.shape[2 + axis], size)
            for axis, size in enumerate(size_hw)
        )
        if all(np.array_equal(x, np.eye(len(x))) for x in (rows, columns)):
            return maps
        return rows @ (maps @ columns.T)

    def computed(self, inputs: Sequence[np.ndarray], target: Target) -> tf.Tensor:
        """Compute the raw maps `(B, T, h, w)` with the compiled function for this kind of target."""
        self.network.prepare(inputs)
        given = [tf.constant(x) for x in inputs], [tf.constant(x) for x in target.arrays]
        if not self.in_graph:
            self._saturated = None
            if may_saturate(target, self.network, self.output):
                self._saturated = self.compiled(("saturated", target.key), partial(self._flags, target))(
                    *given
                )
            return self.maps(inputs, Score(target, target.arrays, self.output))
        maps, self._saturated = self.compiled(target.key, partial(self._maps_and_flags, target))(*given)
        return maps

    def _maps_and_flags(self, target: Target, inputs: Any, arrays: Any) -> tuple[tf.Tensor, tf.Tensor]:
        score = Score(target, arrays, self.output)
        return self.maps(inputs, score), score.saturated(self.network)

    def _flags(self, target: Target, inputs: Any, arrays: Any) -> tf.Tensor:
        score = Score(target, arrays, self.output)
        score(self.network.outputs(inputs))
        return score.saturated(self.network)

    def compiled(self, key: Any, function: Callable) -> Callable:
        """Return the compiled form of a function, built once per key; the `KEPT` most recently used stay cached."""
        key = (key, self.network.variant)
        if key not in self._functions:
            # A partial, since TensorFlow counts the traces of all functions with the same code together, and warns.
            self._functions[key] = tf.function(partial(function), reduce_retracing=True, autograph=False)
            if len(self._functions) > KEPT:
                self._functions.popitem(last=False)
        self._functions.move_to_end(key)
        return self._functions[key]

    def placement(self, pixels: np.ndarray, axis: int, cells: int, size: int) -> np.ndarray:
        """Return the matrix that reads a row of the layer's cells at pixels of the image.

        Each cell is placed where it looks (`wsseg.backbones.alignment`). If that is unknown, the cells
        are spread evenly, as in half-pixel resizing.

        Args:
            pixels: `(n,)` pixel indices along the axis; fractions allowed.
            axis: 0 for height, 1 for width.
            cells: The map's length along the axis.
            size: The image's length along the axis.

        Returns:
            `(n, cells)` float32.
        """
        if self.grid is not None:
            matrix = placed(pixels, cells, self.grid.stride_hw[axis], self.grid.centre_hw[axis])
            if self.grid.seen_hw is not None:  # what the model crops away can't be evidence
                low, high = self.grid.seen_hw[axis]
                matrix[(pixels < low) | (pixels > high)] = 0
            return matrix
        self._warn_once()
        stride = size / cells
        return placed(pixels, cells, stride, (stride - 1) / 2)

    def _warn_once(self) -> None:
        """Warn, the first time, that the cells are spread evenly since their place is not known."""
        if not self._warned:
            self._warned = True
            warnings.warn(
                f"where the cells of layer `{self.layer}` look in the image is not known: "
                f"{self.network.why_unknown}. They are spread evenly over the image, so maps may be displaced; a layer "
                "nearer to the image may have a known place (`layer=`)",
                stacklevel=2,
            )

    def prepared(self, images: Any, targets: Any) -> tuple[list[np.ndarray], Target, bool]:
        """Check the user's images and targets.

        Returns:
            The inputs as a flat list; the target; and whether the caller wants one map per image, without the axis T.
        """
        inputs = self._checked_inputs(images)
        targets = self._top_classes(inputs) if targets is None else targets
        class_names = getattr(self.network.model, "class_names", None)
        target, single = as_target(targets, len(inputs[self.network.image]), class_names)
        target.check(self.network.spec, self.output)
        return inputs, target, single

    def _checked_inputs(self, images: Any) -> list[np.ndarray]:
        """Return the inputs as a flat list after all checks that need no target."""
        inputs = self.network.inputs(images)
        self._saturated = None
        if self._replaced.check():
            self._functions.clear()
            self.network = self._create() if is_graph(self.network.model) else self.network
        check_images(inputs, self.network)
        return inputs

    def _checked(self, maps: np.ndarray, target: Target, batch: int) -> np.ndarray:
        """Refuse maps with NaN or infinity; set maps of absent scores to 0."""
        if len(maps) != batch:
            raise InputError(
                f"layer `{self.layer}` gives {len(maps)} maps for {batch} images: the model cuts images into parts "
                "before it; choose another `layer`, or a method that explains the image itself, such as "
                "`integrated_gradients`"
            )
        absent = target.absent(len(maps))
        if absent is not None and absent.any():
            maps[absent] = 0
        flags, self._saturated = self._saturated, None
        if flags is not None and len(flags):
            present = True if absent is None else ~absent
            warn_of_saturation(np.asarray(flags), maps, present, self.network, not target.logits)
        wrong = ~np.isfinite(maps).all(axis=(1, 2, 3))
        if wrong.any():
            raise InputError(
                f"the maps of {wrong.sum()} of {len(maps)} images (first: number {np.argmax(wrong)}) at layer "
                f"`{self.layer}` are not finite numbers: the model's weights or outputs hold NaN or infinity; "
                "check `model(images)`"
            )
        return maps


def scaled(maps: np.ndarray) -> np.ndarray:
    """Divide each map of `(..., H, W)`, not negative, by its maximum, in place; a map that is all 0 stays 0."""
    for map_ in maps.reshape(
        -1, *maps.shape[-2:]
    ):  # one map at a time: twice as fast, since a map fits into the cache
        peak = map_.max()
        # Without EPSILON: a weak map (gradient methods divide by the image's area) must reach 1 too.
        if peak > 0:
            np.divide(map_, peak, out=map_)
    return maps
