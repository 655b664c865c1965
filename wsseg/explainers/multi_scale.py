"""Sum of the maps of several scales and of the mirrored image: the inference convention of IRN."""

from collections.abc import Sequence

import numpy as np
import tensorflow as tf

from wsseg.errors import InputError
from wsseg.explainers.core import Explainer
from wsseg.explainers.targets import Target
from wsseg.loading.augment import FILL_RGB


class MultiScale:
    """Sum an explainer's maps over image scales and a horizontal flip (IRN, `make_cam`).

    At each scale the image and its mirror image are explained, negative evidence is dropped, the mirrored
    map is mirrored back, and all maps are summed at the output size. The explainer's graph serves views of all sizes.
    Every map is placed where its cells look (`wsseg.backbones.alignment`) before it is added. This matters most at the
    smallest scale, where a shift by one cell is a shift by most of an object.

    Args:
        explainer: Any explainer of a model that takes images of any size.
        scales: Factors of the image's size.
        flip: Whether the mirrored image is also explained.
        map_stride: Pixels of the batch per cell of the result.

    Raises:
        InputError: The model takes only one size of image, or a scale is not positive.

    References:
        Ahn et al., Weakly Supervised Learning of Instance Segmentation with Inter-pixel Relations, CVPR 2019.
    """

    def __init__(
        self,
        explainer: Explainer,
        scales: Sequence[float] = (1.0, 0.5, 1.5, 2.0),
        flip: bool = True,
        map_stride: int = 4,
    ):
        if explainer.input_size != (None, None):
            raise InputError(
                f"several scales need a model that takes any input size; this one takes {explainer.input_size} only; "
                "create it with input_size=None"
            )
        if not len(scales) or min(scales) <= 0:
            raise InputError(f"`scales` must be positive; got {tuple(scales)}; try 0.5, 1.0, 1.5")
        self.explainer, self.scales, self.flip, self.map_stride = explainer, tuple(scales), flip, map_stride

    def _sum(self, images: tf.Tensor, target: Target) -> tf.Tensor:
        height, width = images.shape[1:3]
        total = 0.0
        for scale in self.scales:
            scaled_hw = (round(height * scale), round(width * scale))
            scaled = tf.image.resize(images, scaled_hw, antialias=True) if scale != 1 else images
            for mirror in (False, True) if self.flip else (False,):
                total += self._view(scaled, target, (height, width), mirror)
        return total

    def _view(self, view: tf.Tensor, target: Target, size_hw: tuple[int, int], mirror: bool) -> tf.Tensor:
        """Explain one scaled view; return its maps `(B, T, H / map_stride, W / map_stride)`."""
        margins = self._margins()
        padded = view[:, :, ::-1] if mirror else view
        if np.any(margins):
            colours = padded.shape[-1] == len(FILL_RGB)
            fill = FILL_RGB if colours else tf.reduce_mean(padded, axis=(1, 2), keepdims=True)
            padded = tf.pad(padded - fill, [(0, 0), *margins, (0, 0)]) + fill
        maps = tf.nn.relu(self.explainer.computed([padded], target))
        if self.explainer.relative:
            maps = tf.math.divide_no_nan(maps, tf.reduce_max(maps, axis=(2, 3), keepdims=True))
        matrices = []
        for axis in (0, 1):
            cells = -(-size_hw[axis] // self.map_stride)
            # The middle of each wanted cell, as a pixel index of the padded view.
            centres = (np.arange(cells) + 0.5) * self.map_stride * view.shape[1 + axis] / size_hw[axis] - 0.5
            if mirror and axis == 1:
                centres = view.shape[2] - 1 - centres
            pixels = centres + margins[axis][0]
            matrices.append(
                self.explainer.placement(pixels, axis, maps.shape[2 + axis], padded.shape[1 + axis])
            )
        return tf.einsum("yh,bthw,xw->btyx", matrices[0], maps, matrices[1])

    def _margins(self) -> list[tuple[int, int]]:
        """Return the padding that makes displaced cells cover the whole image.

        It is a whole number of cells, so that the cells keep their positions relative to the image:
        `[(top, bottom), (left, right)]` in pixels.
        """
        grid = self.explainer.grid
        if grid is None:
            return [(0, 0), (0, 0)]
        cells = [round(d / s) for d, s in zip(grid.displacement_hw, grid.stride_hw)]
        return [(max(int(n * s), 0), max(int(-n * s), 0)) for n, s in zip(cells, grid.stride_hw)]

    def raw(self, images, targets) -> np.ndarray:
        """Return the summed maps, unscaled.

        Args:
            images: `(B, H, W, C)`, RGB in [0, 255]; images that are not RGB are padded with their own mean.
            targets: `(B, T)` class indices; -1, whose map is 0, fills up images with fewer than T classes.

        Returns:
            `(B, T, ceil(H / map_stride), ceil(W / map_stride))` float32, not negative.
        """
        inputs, target, _ = self.explainer.prepared(images, targets)
        if len(inputs) != 1:
            raise InputError(f"several scales need a model of one input; this one takes {len(inputs)}")
        sums = self._sum(tf.constant(inputs[0]), target).numpy()
        absent = target.absent(len(sums))
        if absent is not None:
            sums[absent] = 0
        return sums
