"""Training batches of images with their objects (boxes, classes and masks), made by tf.data."""

from collections.abc import Callable

import numpy as np
import tensorflow as tf

from wsseg.datasets.dataset import Dataset
from wsseg.datasets.record import Record
from wsseg.errors import InputError
from wsseg.loading.augment import FILL_RGB, Crops, Jitter, flipped, scale_and_crop_objects
from wsseg.loading.pipeline import read_in_order
from wsseg.objects.instances import Instances
from wsseg.recipe import TrainingConfig


class InstanceBatches:
    """Augmented square crops with their objects, one epoch at a time.

    Args:
        dataset: Dataset whose images are read.
        read_instances: Function that returns a record's objects, with masks. The caller decides where they come from;
            this class has no other way to open them. Crowds are skipped.
        config: Options of the training; see `TrainingBatches`.
        seed: Random seed of order and augmentation, together with the epoch.
        most: Maximum number of objects per image; the largest are kept.
        least_pixels: Minimum area of an object in the crop, pixels; a smaller object becomes background.
    """

    def __init__(
        self,
        dataset: Dataset,
        read_instances: Callable[[Record], Instances],
        config: TrainingConfig,
        seed: int,
        most: int = 50,
        least_pixels: int = 16,
    ):
        self.dataset, self.records = dataset, list(dataset)
        if not self.records:
            raise InputError(f"dataset `{dataset.name}` ({dataset.split}) has no image to train on")
        self._read_instances, self.crop = read_instances, config.crop
        self.relative, self.seed = config.scale is not None, seed
        self.size = tuple(config.scale if self.relative else config.long_side)
        self.mirror, self.jitter = config.mirror, config.jitter
        self.batch_size = min(config.batch_size, len(self.records))
        self.most, self.least_pixels = most, least_pixels

    @property
    def steps(self) -> int:
        """Number of batches per epoch."""
        return len(self.records) // self.batch_size

    def _read(self, index: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        record = self.records[index]
        image = self.dataset.read_image(record)
        found = self._read_instances(record)
        found = found.where(~found.crowd)
        area = found.masks.sum(axis=(1, 2))
        largest = np.sort(np.argsort(-area, kind="stable")[: self.most])
        masks = np.zeros((*image.shape[:2], self.most), np.uint8)
        classes = np.zeros(self.most, np.int32)
        masks[..., : len(largest)] = np.moveaxis(found.masks[largest], 0, -1)
        classes[: len(largest)] = found.class_ids[largest]
        return image, masks, classes

    def epoch(self, number: int) -> tf.data.Dataset:
        """Return the batches of one epoch.

        Args:
            number: Index of the epoch, from 0.

        Returns:
            Dictionaries in the form that detectors train on: `images (B, c, c, 3) float32`, `boxes (B, M, 4) float32`
            xyxy, `classes (B, M) int32`, 0 where there is no object, `masks (B, M, c, c) uint8`.
        """
        crops = Crops.draw(len(self.records), self.size, self.seed, number)
        elements = (crops.order, crops.size, crops.offset_yx, crops.flip, crops.jitter)

        def load(index, long_side, offset_yx, flip, change):
            types = (tf.uint8, tf.uint8, tf.int32)
            image, masks, classes = tf.numpy_function(self._read, [index], types, stateful=False)
            image.set_shape((None, None, 3))
            masks.set_shape((None, None, self.most))
            classes.set_shape((self.most,))
            if self.relative:
                long_side = long_side * tf.cast(tf.reduce_max(tf.shape(image)[:2]), tf.float32)
            image, masks = scale_and_crop_objects(image, masks, long_side, offset_yx, self.crop)
            return flipped(image, flip, self.mirror), flipped(masks, flip, self.mirror), change, classes

        jitter = Jitter(self.jitter)

        def augment(images, masks, changes, classes):
            images = jitter(images, changes)
            images = tf.where(masks[..., -1:] > 0, images, tf.constant(FILL_RGB))
            masks = tf.transpose(masks[..., :-1], (0, 3, 1, 2))
            left = tf.reduce_sum(tf.cast(masks, tf.int32), axis=(2, 3)) >= self.least_pixels
            classes = tf.where(left, classes, 0)
            boxes = tf.where((classes > 0)[..., None], boxes_of(masks), 0.0)
            return {"images": images, "boxes": boxes, "classes": classes, "masks": masks}

        data = read_in_order(elements, load).batch(self.batch_size, drop_remainder=True)
        return data.map(augment, num_parallel_calls=2, deterministic=True).prefetch(2)


def boxes_of(masks: tf.Tensor) -> tf.Tensor:
    """Return the smallest boxes `(..., 4)` float32 xyxy around masks `(..., H, W)`, from pixel edge to pixel edge."""
    sides = []
    for axis in (-2, -1):  # reducing the rows leaves the columns, so left and right come first
        there = tf.reduce_max(masks, axis=axis) > 0
        size = there.shape[-1]
        index = tf.range(size)
        first = tf.reduce_min(tf.where(there, index, size), axis=-1)
        last = tf.reduce_max(tf.where(there, index, -1), axis=-1) + 1
        sides.append((first, last))
    (left, right), (top, bottom) = sides
    return tf.cast(tf.stack([left, top, right, bottom], axis=-1), tf.float32)
