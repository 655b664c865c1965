"""Classify whole images of any size."""

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np

from wsseg.datasets.dataset import Dataset
from wsseg.datasets.record import Record
from wsseg.loading.padded_batches import padded_batches
from wsseg.loading.reduction import MAX_SIDE


def classified(
    network: Callable[[Any, Any], Any],
    dataset: Dataset,
    records: Sequence[Record],
    batch_size: int = 8,
    max_side: int | None = MAX_SIDE,
) -> Iterator[tuple[list[Record], np.ndarray]]:
    """Classify whole images; what fills them up in a batch is left out of the pooling.

    Args:
        network: Function of images and a validity mask: `one_trace(classifier.with_validity())`, of `wsseg.one_trace`.
        dataset: Dataset that reads the images.
        records: Images to classify.
        batch_size: Images per step.
        max_side: Maximum long side, pixels; a larger image is reduced to it. None for no limit.

    Yields:
        The records of a batch, and the network's outputs `(N, K)` for them; in order of shape.
    """
    for batch in padded_batches(dataset, records, batch_size, max_side=max_side):
        valid = np.zeros(batch.images.shape[:3], np.float32)
        for index, (height, width) in enumerate(batch.sizes_hw):
            valid[index, :height, :width] = 1
        outputs = np.asarray(network(batch.images, valid))
        yield batch.records, outputs[: len(batch.records)]
