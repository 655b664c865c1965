"""Training batches of one shape, made by tf.data: the same seed and epoch give the same order and augmentation."""

from collections.abc import Callable, Sequence
from typing import Literal

import keras
import numpy as np
import tensorflow as tf

from wsseg.artifacts import IGNORE
from wsseg.datasets.dataset import Dataset
from wsseg.datasets.record import Record
from wsseg.errors import InputError
from wsseg.loading.augment import FILL_RGB, Crops, Jitter, erase, flipped, scale_and_crop
from wsseg.loading.mirrored_border import with_mirrored_border
from wsseg.loading.object_crops import point_to_show
from wsseg.loading.pipeline import read_in_order
from wsseg.recipe import TrainingConfig


class TrainingBatches:
    """Augmented square crops of a dataset, one epoch at a time.

    Args:
        dataset: Dataset whose images are read.
        config: Options of the training: crop, long side, mirror, jitter and batch size. The last, smaller batch of an
            epoch is dropped unless it is the only one.
        seed: Random seed of order and augmentation, together with the epoch.
        target: Kind of target: "labels" for image-level labels, "masks" for class ids per pixel.
        read_mask: Function for "masks" that returns a record's mask, `(H, W) uint8`, or None for 255 everywhere. The
            caller decides where the masks come from; this class has no other way to open them.
        erase: Largest side of the rectangle that is erased in each image, as a share of the crop's side; 0 for none.
        margin: Width of the border that a network without padding does not label, pixels on each side of the crop. The
            masks do not have it. The images do, mirrored where it is outside the image.
        maps: Function for "masks" that computes the maps that the loss needs in addition to the mask, from a crop's
            mask: `(c, c) uint8` -> `(c, c, M) float32` (`wsseg.losses.create`).
        image_labels: Whether, with "masks", each image comes with its validity (0 in the padding) and its image-level
            labels.
        shown: Records that one epoch shows, with repetitions; None for each record of the dataset once.
        object_crops: Share of the crops, with "masks", that are placed on an object; see `wsseg.loading.object_crops`.
    """

    def __init__(
        self,
        dataset: Dataset,
        config: TrainingConfig,
        seed: int,
        target: Literal["labels", "masks"] = "labels",
        read_mask: Callable[[Record], np.ndarray | None] | None = None,
        erase: float = 0.0,
        margin: int = 0,
        maps: Callable[[np.ndarray], np.ndarray] | None = None,
        image_labels: bool = False,
        shown: Sequence[Record] | None = None,
        object_crops: float = 0.0,
    ):
        self.dataset, self.records = dataset, list(dataset if shown is None else shown)
        if not self.records:
            raise InputError(f"dataset `{dataset.name}` ({dataset.split}) has no image to train on")
        self.crop, self.relative, self.seed = config.crop, config.scale is not None, seed
        self.size = tuple(config.scale if self.relative else config.long_side)
        self.object_share = object_crops
        self.mirror, self.jitter = config.mirror, config.jitter
        self.batch_size = min(config.batch_size, len(self.records))
        self.target, self._read_mask, self.erase = target, read_mask, erase
        self.margin, self.maps, self.image_labels = margin, maps, image_labels
        self._map_channels = 0 if maps is None else maps(np.zeros((2, 2), np.uint8)).shape[-1]

    @property
    def steps(self) -> int:
        """Number of batches per epoch."""
        return len(self.records) // self.batch_size

    def _read(self, index: int) -> tuple[np.ndarray, np.ndarray]:
        record = self.records[index]
        image = self.dataset.read_image(record)
        if self._read_mask is None:
            return image, np.zeros((*image.shape[:2], 1), np.uint8)
        mask = self._read_mask(record)
        return image, np.full((*image.shape[:2], 1), IGNORE, np.uint8) if mask is None else mask[..., None]

    def _read_and_choose(self, index: int, numbers: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        image, mask = self._read(index)
        return image, mask, point_to_show(mask[..., 0], numbers, self.object_share)

    def _read_maps(self, labels: np.ndarray) -> np.ndarray:
        return np.asarray(self.maps(labels.astype(np.uint8)), np.float32)

    def epoch(self, number: int) -> tf.data.Dataset:
        """Return the batches of one epoch.

        Args:
            number: Index of the epoch, from 0.

        Returns:
            Batches of float32. Target "labels": `((images (B, c, c, 3), valid (B, c, c)), labels (B, K))`. Target
            "masks": `(images, masks (B, c, c) int32)`, 255 where unsure or padded. With `maps`, the masks are
            `(B, c, c, 1 + M)` float32, class ids first. With a `margin`, the masks' sides are `c - 2 margin`. With
            `image_labels`, `(images, valid (B, c, c), labels (B, K))` replaces the images.
        """
        crops = Crops.draw(len(self.records), self.size, self.seed, number, self.erase)
        labels = np.stack([self.dataset.label_vector(record) for record in self.records])[crops.order]
        elements = (
            crops.order, crops.size, crops.offset_yx, crops.erased, crops.object_at, crops.flip, crops.jitter, labels
        )  # fmt: skip

        def load(index, long_side, offset_yx, erased, object_at, flip, change, vector):
            shown_yx = None
            if self.object_share:
                kinds = (tf.uint8, tf.uint8, tf.float32)
                image, mask, shown_yx = tf.numpy_function(
                    self._read_and_choose, [index, object_at], kinds, stateful=False
                )
                shown_yx.set_shape((2,))
            else:
                image, mask = tf.numpy_function(self._read, [index], (tf.uint8, tf.uint8), stateful=False)
            image.set_shape((None, None, 3))
            mask.set_shape((None, None, 1))
            if self.relative:
                long_side = long_side * tf.cast(tf.reduce_max(tf.shape(image)[:2]), tf.float32)
            if self.margin:
                image, mask = with_mirrored_border(image, mask, long_side, self.margin)
                long_side = tf.cast(tf.reduce_max(tf.shape(image)), tf.float32)
            image, mask = scale_and_crop(image, mask, long_side, offset_yx, self.crop, shown_yx)
            if self.maps is not None:
                maps = tf.numpy_function(self._read_maps, [mask[..., 0]], tf.float32, stateful=False)
                maps = tf.ensure_shape(maps, (self.crop, self.crop, self._map_channels))
                mask = tf.concat([mask, maps], axis=-1)
            if self.erase:
                image = erase(image, erased)
            return flipped(image, flip, self.mirror), flipped(mask, flip, self.mirror), change, vector

        jitter = Jitter(self.jitter)

        def augment(images, masks, changes, vector):
            images = jitter(images, changes)
            valid = masks[..., 1]
            images = tf.where(valid[..., None] > 0, images, tf.constant(FILL_RGB))
            if self.target == "masks":
                inner = slice(self.margin, self.crop - self.margin)
                masks = masks[:, inner, inner]
                labels = tf.round(masks[..., :1])
                inputs = (images, valid, vector) if self.image_labels else images
                if self.maps is not None:
                    return inputs, tf.concat([labels, masks[..., 2:]], axis=-1)
                return inputs, tf.cast(labels[..., 0], tf.int32)
            return (images, valid), vector

        data = read_in_order(elements, load).batch(self.batch_size, drop_remainder=True)
        return data.map(augment, num_parallel_calls=2, deterministic=True).prefetch(2)


def epoch_seed(seed: int, epoch: int) -> None:
    """Seed all random sources that layers may use in training (such as dropout), for one epoch."""
    keras.utils.set_random_seed(int(np.random.default_rng([seed, epoch, 2]).integers(2**31)))


def batches_of(indices: Sequence[int], size: int) -> list[list[int]]:
    """Divide a list into parts of `size`; the last part may be shorter.

    Example:
        >>> batches_of([1, 2, 3], 2)
        [[1, 2], [3]]
    """
    return [list(indices[i : i + size]) for i in range(0, len(indices), size)]
