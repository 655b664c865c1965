"""Predict whole images: padded batches, several scales and the mirrored image averaged."""

from collections.abc import Iterator, Sequence

import keras
import numpy as np
import tensorflow as tf

from wsseg.datasets.dataset import Dataset
from wsseg.datasets.record import Record
from wsseg.loading.padded_batches import padded_batches


class Predictor:
    """A segmenter's class probabilities for images of any size, traced once for each padded shape.

    Args:
        model: Images `(B, H, W, 3)` in [0, 255] -> logits `(B, H, W, K)`, of any input size.
        scales: Factors of the image's size; the probabilities are averaged at the image's size.
        flip: Also the mirrored image.
    """

    def __init__(self, model: keras.Model, scales: Sequence[float] = (1.0,), flip: bool = True):
        self.model, self.scales, self.flip = model, tuple(scales), flip
        self._function = tf.function(self._average)

    def _average(self, images: tf.Tensor) -> tf.Tensor:
        size_hw = images.shape[1:3]
        total, views = 0.0, 0
        for scale in self.scales:
            scaled_hw = tuple(round(side * scale) for side in size_hw)
            scaled = images if scale == 1 else tf.image.resize(images, scaled_hw, antialias=True)
            for mirror in (False, True) if self.flip else (False,):
                logits = self.model(scaled[:, :, ::-1] if mirror else scaled, training=False)
                probabilities = tf.nn.softmax(tf.cast(logits, tf.float32))
                probabilities = probabilities[:, :, ::-1] if mirror else probabilities
                total += probabilities if scale == 1 else tf.image.resize(probabilities, size_hw)
                views += 1
        return total / views

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
        for batch in padded_batches(dataset, records, batch_size):
            result = self._function(tf.constant(batch.images)).numpy()
            for record, (height, width), probabilities in zip(batch.records, batch.sizes_hw, result):
                yield record, probabilities[:height, :width]
