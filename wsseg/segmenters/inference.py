"""Predict whole images in batches or tiles, and fuse several scales and the mirrored image."""

from collections.abc import Callable, Iterator, Sequence
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
from wsseg.loading.reduction import MAX_SIDE, enlarged, enlarged_argmax
from wsseg.one_trace import one_trace
from wsseg.segmenters.overlap_tile import overlap_tile

TILE = 572  # U-Net's
MULTIPLE = 64  # image sides are padded to multiples of this, so that similar images form a batch

Refinement = Callable[[np.ndarray, np.ndarray], np.ndarray]
"""Image `(h, w, 3)` uint8 and probabilities `(h, w, K)` -> probabilities `(h, w, K)`."""


class Predictor:
    """Computes a segmenter's class probabilities for images of any size.

    The network is traced once for all sizes. Images are padded with the mean colour to multiples of 64 pixels, so that
    images of similar size form a batch. Each view (a scale, mirrored or not) is padded to a size that the network
    supports.

    This does not apply if the network pools over the whole image (`Segmenter.pools_globally`), because then the padding
    changes the result: for 375 x 500 pixels padded to 384 x 512, PSPNet on MobileNet 0.25 with random weights gives
    probabilities that differ by up to 0.22 (0.014 on average) and another class at 3 % of the pixels. Such a network
    gets each image in its own size, in batches of images of exactly this size. Only images that are smaller than the
    network supports are still padded.

    A network without padding gets one image at a time, in overlapping tiles. Beyond its borders the image is mirrored.

    Args:
        model: Images `(B, H, W, 3)` in [0, 255] -> logits `(B, H, W, K)`: a `Segmenter`, or any model that supports
            all sizes.
        scales: Factors of the image's size; results are resized to the image's size and fused there.
        flip: Whether to predict the mirrored image too.
        fusion: "mean": the mean of the views' probabilities; "max": the softmax of each class's maximum score over the
            views, as DeepLab v2 fuses scales.
        tile: Maximum side of a tile, pixels, for a network without padding.
        max_side: Maximum long side of an image, pixels. A larger image is reduced to it for all views, and the
            probabilities are resized back. None for no limit. DeepLab v3+ on ResNet-50 at output stride 16 needs 2 GB
            for 1536 x 1152 pixels and 21 classes, and 8.7 GB for 4000 x 3000.

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
        max_side: int | None = MAX_SIDE,
    ):
        if not scales or min(scales) <= 0:
            raise InputError(f"`scales` must be positive; got {list(scales)}; try [0.5, 1.0, 1.5]")
        if fusion not in ("mean", "max"):
            raise InputError(f"`fusion` must be mean or max; got {fusion!r}")
        if max_side is not None and max_side < 1:
            raise InputError(f"`max_side` must be at least 1, or None; got {max_side}; try {MAX_SIDE}")
        self.model, self.scales, self.flip, self.fusion = model, tuple(scales), flip, fusion
        self.sizes, self.margin = getattr(model, "sizes", LegalSizes()), getattr(model, "margin", 0)
        self.tile, self.max_side = tile, max_side
        takes_any_size = model.input_shape[1:3] == (None, None)
        self.own_size = takes_any_size and getattr(model, "pools_globally", False) and not self.margin
        self._network = one_trace(model)

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
        """Return logits in the size of the view, float32, whichever sizes the network supports."""
        height, width = view.shape[1:3]
        if self.margin:
            # One tile covers the whole view if that needs no tile larger than `tile`.
            sides = padded_size((height, width), MULTIPLE)
            room = 2 * self.margin + self.sizes.multiple
            tile = tuple(self.sizes.above(min(side + room, self.tile)) for side in sides)
            logits = overlap_tile(self._network, view[0].numpy(), tile, self.margin, self.sizes.multiple)
            return tf.constant(logits[None])
        below, right = (self.sizes.above(side) - side for side in (height, width))
        if below or right:
            fill = tf.constant(FILL_RGB)
            view = tf.pad(view - fill, [[0, 0], [0, below], [0, right], [0, 0]]) + fill
        logits = self._network(view)
        return tf.cast(logits[:, :height, :width], tf.float32)

    def __call__(
        self,
        dataset: Dataset,
        records: Sequence[Record],
        batch_size: int = 8,
        refine: Refinement | None = None,
    ) -> Iterator[tuple[Record, np.ndarray]]:
        """Predict images.

        Args:
            dataset: Dataset that reads the images.
            records: Records of the images to predict.
            batch_size: Number of images per step.
            refine: See `masks`.

        Yields:
            `(record, probabilities)`, in order of the image shapes; the probabilities are `(H, W, K)` float32 at the
            image's own size. For 12 megapixels and 21 classes they take 1 GB; `masks` gives the classes alone.
        """
        for record, probabilities, own_hw in self.at_network_size(dataset, records, refine, batch_size):
            yield record, enlarged(probabilities, own_hw)

    def masks(
        self,
        dataset: Dataset,
        records: Sequence[Record],
        refine: Refinement | None = None,
        batch_size: int = 8,
    ) -> Iterator[tuple[Record, np.ndarray]]:
        """Predict the classes of images' pixels.

        Args:
            dataset: Dataset that reads the images.
            records: Records of the images to predict.
            refine: Function: image `(h, w, 3)` uint8 and probabilities `(h, w, K)` -> probabilities, such as a dense
                CRF. It is called at the size that the network gets, `max_side` at most.
            batch_size: Number of images per step.

        Yields:
            `(record, mask)`, in order of the image shapes; the mask is `(H, W)` uint8 class ids at the image's own
            size.
        """
        for record, probabilities, own_hw in self.at_network_size(dataset, records, refine, batch_size):
            yield record, enlarged_argmax(probabilities, own_hw)

    def at_network_size(
        self,
        dataset: Dataset,
        records: Sequence[Record],
        refine: Refinement | None = None,
        batch_size: int = 8,
    ) -> Iterator[tuple[Record, np.ndarray, tuple[int, int]]]:
        """Predict images, without enlarging the result to the size of a photograph.

        Args:
            dataset: Dataset that reads the images.
            records: Records of the images to predict.
            refine: See `masks`.
            batch_size: Number of images per step.

        Yields:
            `(record, probabilities, own_hw)`, in order of the image shapes: `(h, w, K)` float32 at the size that the
            network gets, and the image's own height and width.
        """
        for record, image, probabilities, own_hw in self._predicted(dataset, records, batch_size):
            if refine is not None:
                probabilities = refine(image.astype(np.uint8), probabilities)
            yield record, probabilities, own_hw

    def _predicted(
        self, dataset: Dataset, records: Sequence[Record], batch_size: int
    ) -> Iterator[tuple[Record, np.ndarray, np.ndarray, tuple[int, int]]]:
        """Yield the record, image and probabilities at the size that the network gets, and the image's own size."""
        multiple = 1 if self.own_size else MULTIPLE
        for batch in padded_batches(dataset, records, batch_size, multiple, self.max_side):
            result = None if self.margin else self._fused(tf.constant(batch.images)).numpy()
            for index, (record, (height, width)) in enumerate(zip(batch.records, batch.sizes_hw)):
                image = batch.images[index, :height, :width]
                if result is None:
                    probabilities = self._fused(tf.constant(image[None])).numpy()[0]
                else:
                    probabilities = result[index, :height, :width]
                yield record, image, probabilities, batch.own_sizes_hw[index]
