"""What all explainers share: targets, one trace a shape, resizing and scaling of the maps.

A method is a subclass with one formula, `maps`; the split, the batch's form and the scaling are here.
"""

import keras
import numpy as np
import tensorflow as tf

from wsseg.errors import InputError
from wsseg.explainers.placement import placed
from wsseg.explainers.split import split

EPSILON = 1e-5
"""Added to a map's maximum before dividing by it (IRN's value): a map without evidence stays 0."""


class Explainer:
    """Explain a model's class scores by maps over the image.

    Args:
        model: A functional or sequential Keras classifier, nested ones included.
        layer: The layer to explain, or None for the last spatial features that the head reads.

    Attributes:
        layer: Name of the explained layer.
        grid: Where in the image its cells look, or None where that can't be told.
        relative: True where a map's scale depends on the size of the image it was made from, so that maps of
            several scales must be scaled before they are summed.
    """

    relative = True

    def __init__(self, model: keras.Model, layer: str | None = None):
        parts = split(model, layer)
        self.features, self.head, self.layer, self.grid = parts.features, parts.head, parts.layer, parts.grid
        self.num_classes = int(parts.head.output_shape[-1])
        self.input_size = tuple(model.inputs[0].shape[1:3])
        self._function = tf.function(self.maps, reduce_retracing=True)

    def maps(self, images: tf.Tensor, targets: tf.Tensor) -> tf.Tensor:
        """The method's formula.

        Args:
            images: `(B, H, W, 3)` float32.
            targets: `(B, T)` int32 class indices, -1 where an image has fewer than T.

        Returns:
            `(B, T, h, w)` float32, unscaled, negative values kept; anything where the target is -1.
        """
        raise TypeError(f"{type(self).__name__} must define `maps`")

    def raw(self, images, targets) -> np.ndarray:
        """Return the unscaled maps at the layer's own size, after the method's ReLU where it has one.

        Args:
            images: `(B, H, W, 3)` RGB in [0, 255] (for a model with preprocessing of its own inside), any
                real dtype.
            targets: `(B,)` class indices, or `(B, T)` for several classes of each image at once; -1 where an
                image has fewer than T, whose map is 0.

        Returns:
            `(B, h, w)` or `(B, T, h, w)` float32.

        Raises:
            InputError: Shapes or class indices do not fit the model.
        """
        images, targets, squeeze = self._check(images, targets)
        maps = self._function(tf.constant(images), tf.constant(targets)).numpy()
        maps[targets < 0] = 0
        return maps[:, 0] if squeeze else maps

    def __call__(self, images, targets) -> np.ndarray:
        """Return the maps at the image's size, each scaled by its maximum.

        Args:
            images: As of `raw`.
            targets: As of `raw`.

        Returns:
            `(B, H, W)` or `(B, T, H, W)` float32 in [0, 1]; all 0 where nothing speaks for the class.
        """
        maps = np.maximum(self.raw(images, targets), 0)
        height, width = np.shape(images)[1:3]
        rows = self.placement(np.arange(height), 0, maps.shape[-2], height)
        columns = self.placement(np.arange(width), 1, maps.shape[-1], width)
        large = rows @ maps @ columns.T
        peak = large.max(axis=(-2, -1), keepdims=True)
        # Relative, not EPSILON: a weak map (gradient methods divide by the image's area) must reach 1 too.
        return np.divide(large, peak, out=np.zeros_like(large), where=peak > 0)

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

    def _check(self, images, targets) -> tuple[np.ndarray, np.ndarray, bool]:
        images = np.asarray(images, dtype=np.float32)
        if images.ndim != 4 or images.shape[-1] != 3:
            raise InputError(
                f"`images` must be (B, H, W, 3); got {images.shape}; add a batch axis with images[None]"
            )
        for axis, (got, wanted) in enumerate(zip(images.shape[1:3], self.input_size)):
            if wanted is not None and got != wanted:
                raise InputError(
                    f"`images` must be {self.input_size} (height, width) for this model; got "
                    f"{images.shape[1:3]}; resize them ({'height' if axis == 0 else 'width'} differs)"
                )
        targets = np.asarray(targets)
        if targets.dtype.kind not in "iu" and targets.size:
            raise InputError(
                f"`targets` must be class indices (integers); got {targets.dtype}; try {targets.shape} of int"
            )
        targets = targets.astype(np.int32)
        squeeze = targets.ndim == 1
        if squeeze:
            targets = targets[:, None]
        if targets.ndim != 2 or len(targets) != len(images):
            raise InputError(f"`targets` must be (B,) or (B, T) with B = {len(images)}; got {targets.shape}")
        if targets.max(initial=0) >= self.num_classes or targets.min(initial=0) < -1:
            raise InputError(
                f"`targets` must be class indices from 0 to {self.num_classes - 1}; "
                f"got {targets.min()} to {targets.max()}"
            )
        return images, targets, squeeze
