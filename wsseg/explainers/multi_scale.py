"""Maps of several scales and of the mirrored image, summed: the inference convention of IRN."""

from collections.abc import Sequence

import numpy as np
import tensorflow as tf

from wsseg.errors import InputError
from wsseg.explainers.core import Explainer


class MultiScale:
    """Sum an explainer's maps over image scales and a horizontal flip (IRN, `make_cam`).

    At each scale the image and its mirror image are explained, negative evidence is dropped, the mirrored
    map is mirrored back, and all are summed at the wanted size. Everything is one graph, traced once for each
    shape of batch.

    Args:
        explainer: Any explainer of a model that takes images of any size.
        scales: Factors of the image's size.
        flip: Also the mirrored image.
        map_stride: The result has 1/map_stride of the batch's size.

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
                f"several scales need a model of any input size; this one takes {explainer.input_size} only; "
                "create it with input_size=None"
            )
        self.explainer, self.scales, self.flip, self.map_stride = explainer, tuple(scales), flip, map_stride
        self._function = tf.function(self._sum)

    def _sum(self, images: tf.Tensor, targets: tf.Tensor) -> tf.Tensor:
        height, width = images.shape[1:3]
        size_hw = (-(-height // self.map_stride), -(-width // self.map_stride))
        total = 0.0
        for scale in self.scales:
            scaled_hw = (round(height * scale), round(width * scale))
            scaled = tf.image.resize(images, scaled_hw, antialias=True) if scale != 1 else images
            for mirror in (False, True) if self.flip else (False,):
                view = scaled[:, :, ::-1] if mirror else scaled
                maps = tf.nn.relu(self.explainer.maps(view, targets))
                maps = maps[..., ::-1] if mirror else maps
                if self.explainer.relative:
                    maps = tf.math.divide_no_nan(maps, tf.reduce_max(maps, axis=(2, 3), keepdims=True))
                maps = tf.transpose(maps, (0, 2, 3, 1))
                total += tf.transpose(tf.image.resize(maps, size_hw), (0, 3, 1, 2))
        return total

    def raw(self, images, targets) -> np.ndarray:
        """Return the summed maps, unscaled.

        Args:
            images: `(B, H, W, 3)` RGB in [0, 255].
            targets: `(B, T)` class indices, -1 where an image has fewer than T.

        Returns:
            `(B, T, ceil(H / map_stride), ceil(W / map_stride))` float32, not negative.
        """
        images, targets, _ = self.explainer._check(images, targets)
        return self._function(tf.constant(images), tf.constant(targets)).numpy()
