"""Predict whole images: padded batches or tiles, several scales and the mirrored image fused."""

from collections.abc import Iterator, Sequence
from typing import Literal

import keras
import numpy as np
import tensorflow as tf

from wsseg.datasets.dataset import Dataset
from wsseg.datasets.record import Record
from wsseg.errors import InputError
from wsseg.layers.legal_sizes import LegalSizes
from wsseg.loading.augment import FILL_RGB
from wsseg.loading.padded_batches import padded_batches, padded_size
from wsseg.segmenters.overlap_tile import overlap_tile

TILE = 572  # U-Net's
MULTIPLE = 64  # to which sides are rounded up, so that few shapes are traced


class Predictor:
    """A segmenter's class probabilities for images of any size, traced once for each padded shape.

    Each view (scale, mirrored or not) is filled up with the mean colour to a size that the network takes. A network
    without padding sees one image at a time in overlapping tiles, mirrored beyond the image's borders.

    Args:
        model: Images `(B, H, W, 3)` in [0, 255] -> logits `(B, H, W, K)`: a `Segmenter`, or any model that takes all
            sizes.
        scales: Factors of the image's size; results are resized to the image's size and fused there.
        flip: Also the mirrored image.
        fusion: "mean" of the views' probabilities, or "max": the softmax of each class's highest score in any view,
            as DeepLab v2 fuses scales.
        tile: Largest side of a tile, pixels, for a network without padding.

    References:
        Chen et al., DeepLab v2, section 4.1 † (multi-scale inputs fused by the maximum); Ronneberger et al., U-Net,
        section 2 † (overlap-tile). († quoted from memory.)
    """

    def __init__(
        self,
        model: keras.Model,
        scales: Sequence[float] = (1.0,),
        flip: bool = True,
        fusion: Literal["mean", "max"] = "mean",
        tile: int = TILE,
    ):
        if not scales or min(scales) <= 0:
            raise InputError(f"`scales` must be positive; got {list(scales)}; try [0.5, 1.0, 1.5]")
        if fusion not in ("mean", "max"):
            raise InputError(f"`fusion` must be mean or max; got {fusion!r}")
        self.model, self.scales, self.flip, self.fusion = model, tuple(scales), flip, fusion
        self.sizes, self.margin = getattr(model, "sizes", LegalSizes()), getattr(model, "margin", 0)
        self.tile = tile
        self._function = tf.function(self._fused)
        self._network = tf.function(lambda tiles: model(tiles, training=False))

    def _fused(self, images: tf.Tensor) -> tf.Tensor:
        """Return probabilities `(B, H, W, K)` from all views of images `(B, H, W, 3)`."""
        size_hw = images.shape[1:3]
        views = []
        for scale in self.scales:
            scaled_hw = tuple(max(round(side * scale), 1) for side in size_hw)
            scaled = images if scale == 1 else tf.image.resize(images, scaled_hw, antialias=True)
            for mirror in (False, True) if self.flip else (False,):
                scores = self._logits(scaled[:, :, ::-1] if mirror else scaled)
                scores = tf.nn.softmax(scores) if self.fusion == "mean" else scores
                scores = scores[:, :, ::-1] if mirror else scores
                views.append(scores if scale == 1 else tf.image.resize(scores, size_hw))
        if self.fusion == "mean":
            return tf.add_n(views) / len(views)
        highest = views[0]
        for view in views[1:]:
            highest = tf.maximum(highest, view)
        return tf.nn.softmax(highest)

    def _logits(self, view: tf.Tensor) -> tf.Tensor:
        """Return logits of the view's own size, float32, whatever sizes the network takes."""
        height, width = view.shape[1:3]
        if self.margin:
            # A tile holds the view as a whole where that needs none larger than `tile`.
            sides = padded_size((height, width), MULTIPLE)
            room = 2 * self.margin + self.sizes.multiple
            tile = tuple(self.sizes.above(min(side + room, self.tile)) for side in sides)
            logits = overlap_tile(self._network, view[0].numpy(), tile, self.margin, self.sizes.multiple)
            return tf.constant(logits[None])
        below, right = (self.sizes.above(side) - side for side in (height, width))
        if below or right:
            fill = tf.constant(FILL_RGB)
            view = tf.pad(view - fill, [[0, 0], [0, below], [0, right], [0, 0]]) + fill
        logits = self.model(view, training=False)
        return tf.cast(logits[:, :height, :width], tf.float32)

    def __call__(
        self, dataset: Dataset, records: Sequence[Record], batch_size: int = 8
    ) -> Iterator[tuple[Record, np.ndarray]]:
        """Predict images.

        Args:
            dataset: What reads them.
            records: Which.
            batch_size: Images a step.

        Yields:
            `(record, probabilities)`, the latter `(H, W, K)` float32 at the image's own size; in order of
            shape.
        """
        for batch in padded_batches(dataset, records, batch_size, MULTIPLE):
            if self.margin:
                for record, image, (height, width) in zip(batch.records, batch.images, batch.sizes_hw):
                    yield record, self._fused(tf.constant(image[None, :height, :width])).numpy()[0]
                continue
            result = self._function(tf.constant(batch.images)).numpy()
            for record, (height, width), probabilities in zip(batch.records, batch.sizes_hw, result):
                yield record, probabilities[:height, :width]
