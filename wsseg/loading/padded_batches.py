"""Whole images for inference, padded to few shapes, so that images of similar size form a batch."""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import tensorflow as tf

from wsseg.datasets.dataset import Dataset
from wsseg.datasets.record import Record
from wsseg.loading.augment import FILL_RGB
from wsseg.loading.pipeline import read_in_order, readers_errors
from wsseg.loading.reduction import MAX_SIDE, reduced, reduced_size
from wsseg.loading.training_batches import batches_of

PIXELS = 512 * 512
"""Largest area of an image at which a batch has its full size, pixels."""


@dataclass(frozen=True)
class PaddedBatch:
    """Images of one padded shape.

    Attributes:
        records: Records of the images. The last batch of a shape may repeat its last image to fill the batch, so
            `images` can be longer than `records`.
        images: `(B, H, W, 3)` float32: Each image is in the upper left corner; the rest has the mean colour.
        sizes_hw: `(height, width)` of each record's image in the batch, pixels.
        own_sizes_hw: `(height, width)` of each record's image file, pixels; larger if the image was reduced.
    """

    records: list[Record]
    images: np.ndarray
    sizes_hw: list[tuple[int, int]]
    own_sizes_hw: list[tuple[int, int]]


def padded_size(size_hw: tuple[int, int], multiple: int) -> tuple[int, int]:
    """Round a size up to whole multiples.

    Example:
        >>> padded_size((240, 321), 64)
        (256, 384)
    """
    height, width = (-(-side // multiple) * multiple for side in size_hw)
    return height, width


def _batch_size(shape_hw: tuple[int, int], images: int, wanted: int) -> int:
    """Return the number of images of a shape per batch: smaller for large images, to limit the memory."""
    return max(1, min(wanted, images, wanted * PIXELS // (shape_hw[0] * shape_hw[1])))


def padded_batches(
    dataset: Dataset,
    records: Sequence[Record],
    batch_size: int,
    multiple: int = 64,
    max_side: int | None = MAX_SIDE,
) -> Iterator[PaddedBatch]:
    """Read whole images in batches of one padded shape each.

    Args:
        dataset: Dataset that reads the images.
        records: Records of the images to read.
        batch_size: Number of images per batch; smaller if a shape has fewer images, or large ones (`PIXELS`). All
            batches of a shape have the same size: kernels are chosen once per shape.
        multiple: Number of pixels to whose multiples the sides are padded.
        max_side: Maximum long side, pixels; a larger image is first reduced to it. None for no limit.

    Yields:
        Batches, in order of shape; each record comes once.
    """
    groups: dict[tuple[int, int], list[int]] = defaultdict(list)
    for index, record in enumerate(records):
        size_hw = reduced_size(dataset.size_hw(record), max_side)
        groups[padded_size(size_hw, multiple)].append(index)
    sizes = {shape: _batch_size(shape, len(group), batch_size) for shape, group in groups.items()}
    plan = [(shape, batch) for shape in sorted(groups) for batch in batches_of(groups[shape], sizes[shape])]

    def read(number: int) -> tuple[np.ndarray, np.ndarray]:
        shape, batch = plan[number]
        images = np.empty((sizes[shape], *shape, 3), np.float32)
        images[:] = np.array(FILL_RGB, np.float32)
        true_hw = np.zeros((sizes[shape], 4), np.int64)
        for row, index in enumerate(batch):
            own = dataset.read_image(records[index])
            image = reduced(own, max_side)
            height, width = image.shape[:2]
            images[row, :height, :width] = image
            true_hw[row] = height, width, *own.shape[:2]
        images[len(batch) :] = images[len(batch) - 1]
        return images, true_hw

    data = read_in_order(
        np.arange(len(plan)),
        lambda number: tf.numpy_function(read, [number], (tf.float32, tf.int64), stateful=False),
        parallel_calls=2,
    )
    elements = data.prefetch(2).as_numpy_iterator()
    for _, batch in plan:
        with readers_errors():
            images, true_hw = next(elements)
        rows = true_hw[: len(batch)].tolist()
        sizes_hw, own_hw = [(h, w) for h, w, *_ in rows], [(h, w) for *_, h, w in rows]
        yield PaddedBatch([records[i] for i in batch], images, sizes_hw, own_hw)
