"""Augmentation of images together with their masks: random scale and crop, flip, photometric jitter.

Scale and crop are our own, because the crops of core Keras and keras-cv invent class ids or fail on images
smaller than the crop; the flip is keras-cv's and the jitter core Keras', which keep masks aligned. Every
random number follows from `(seed, epoch)`.
"""

from dataclasses import dataclass

import numpy as np
import tensorflow as tf

from wsseg.artifacts import IGNORE

FILL_RGB = (124.0, 116.0, 104.0)
"""ImageNet's mean colour, which padding is filled with: near 0 after any network's preprocessing."""


@dataclass(frozen=True)
class Crops:
    """The random numbers of one epoch's crops, drawn beforehand so that parallel loading cannot reorder them.

    Attributes:
        order: `(N,) int64`: which record comes when.
        long_side: `(N,) float32`: pixels that the image's long side is scaled to.
        offset_yx: `(N, 2) float32` in [0, 1): where the crop lies in the room it has.
        erased: `(N, 4) float32` in [0, 1): size and place of the rectangle to blot out, as `erase` takes it.
    """

    order: np.ndarray
    long_side: np.ndarray
    offset_yx: np.ndarray
    erased: np.ndarray

    @classmethod
    def draw(
        cls, count: int, long_side: tuple[int, int], seed: int, epoch: int, erase_share: float = 0.0
    ) -> "Crops":
        """Draw one epoch's numbers.

        Args:
            count: Number of records.
            long_side: Range of the scaled long side, pixels.
            seed: Of the run.
            epoch: Counted from 0.
            erase_share: Largest side of the rectangle to blot out, as a share of the crop.
        """
        random = np.random.default_rng([seed, epoch])
        return cls(
            random.permutation(count).astype(np.int64),
            random.uniform(*long_side, count).astype(np.float32),
            # Drawn as float32: a float64 below 1 could round up to 1, out of range.
            random.random((count, 2), dtype=np.float32),
            random.random((count, 4), dtype=np.float32) * np.float32([erase_share, erase_share, 1, 1]),
        )


def scale_and_crop(
    image: tf.Tensor, mask: tf.Tensor, long_side: tf.Tensor, offset_yx: tf.Tensor, crop: int
) -> tuple[tf.Tensor, tf.Tensor]:
    """Scale an image and its mask alike and cut (or pad) them to a square.

    Args:
        image: `(H, W, 3)` uint8.
        mask: `(H, W, 1)` uint8 class ids.
        long_side: Scalar, pixels that the long side is scaled to.
        offset_yx: `(2,)` in [0, 1): where the crop lies; where the image is smaller, where that lies in it.
        crop: Side of the square, pixels.

    Returns:
        Image `(crop, crop, 3)` float32, bilinear, filled with `FILL_RGB`; labels `(crop, crop, 2)` float32:
        the nearest class id, filled with 255, and the validity, 1 inside the image.
    """
    scaled, window, padding = _window(tf.shape(image)[:2], long_side, offset_yx, crop)
    image = _filled_image(image, scaled, window, padding, crop)
    mask = tf.image.resize(mask, scaled, method="nearest")[window]
    valid = tf.pad(tf.ones_like(mask, tf.float32), padding)
    labels = tf.pad(tf.cast(mask, tf.float32) - IGNORE, padding) + IGNORE
    return image, tf.ensure_shape(tf.concat([labels, valid], axis=-1), (crop, crop, 2))


def scale_and_crop_objects(
    image: tf.Tensor, masks: tf.Tensor, long_side: tf.Tensor, offset_yx: tf.Tensor, crop: int
) -> tuple[tf.Tensor, tf.Tensor]:
    """Do as `scale_and_crop` with the masks of objects, which may overlap.

    Args:
        image: `(H, W, 3)` uint8.
        masks: `(H, W, M)` uint8 of zeros and ones.
        long_side: As of `scale_and_crop`.
        offset_yx: As of `scale_and_crop`.
        crop: Side of the square, pixels.

    Returns:
        Image `(crop, crop, 3)` float32; masks `(crop, crop, M + 1)` uint8, nearest: the last is the validity.
    """
    scaled, window, padding = _window(tf.shape(image)[:2], long_side, offset_yx, crop)
    image = _filled_image(image, scaled, window, padding, crop)
    count = masks.shape[-1]
    masks = tf.image.resize(masks, scaled, method="nearest")[window]
    masks = tf.concat([masks, tf.ones_like(masks[..., :1])], axis=-1)
    return image, tf.ensure_shape(tf.pad(masks, padding), (crop, crop, count + 1))


def _window(size, long_side, offset_yx, crop: int) -> tuple:
    """Return the scaled size, the window of it that the crop sees, and what is filled up around that."""
    size = tf.cast(size, tf.float32)
    scaled = tf.maximum(tf.cast(tf.round(size * (long_side / tf.reduce_max(size))), tf.int32), 1)
    room = scaled - crop
    start = tf.cast(offset_yx * tf.cast(tf.maximum(room, 0) + 1, tf.float32), tf.int32)
    stop = tf.minimum(start + crop, scaled)
    before = tf.cast(offset_yx * tf.cast(tf.maximum(-room, 0) + 1, tf.float32), tf.int32)
    after = crop - before - (stop - start)
    padding = tf.concat([tf.stack([before, after], axis=1), [[0, 0]]], axis=0)
    return scaled, (slice(start[0], stop[0]), slice(start[1], stop[1])), padding


def _filled_image(image, scaled, window, padding, crop: int):
    fill = tf.constant(FILL_RGB)
    image = tf.image.resize(image, scaled, antialias=True)[window]
    return tf.ensure_shape(tf.pad(image - fill, padding) + fill, (crop, crop, 3))


def jitter_layers(strength: float, seed: int) -> list:
    """Return core Keras' photometric layers: brightness, contrast, saturation.

    Args:
        strength: In [0, 1]: brightness and contrast change by up to this share, saturation by half of it.
        seed: Of the layers' random numbers.
    """
    from keras import layers

    if strength == 0:
        return []
    bounds = (0, 255)
    # In core Keras 3.15 a bare number would only raise the contrast, and only lower the saturation, of which
    # a factor of 0.5 leaves the image as it is; what it clips to `value_range` is the saturation, in [0, 1].
    saturation = (0.5 - strength / 4, 0.5 + strength / 4)
    return [
        layers.RandomBrightness(strength, value_range=bounds, seed=seed, dtype="float32"),
        layers.RandomContrast((strength, strength), value_range=bounds, seed=seed + 1, dtype="float32"),
        layers.RandomSaturation(saturation, value_range=(0, 1), seed=seed + 2, dtype="float32"),
    ]


FLIPS = {"horizontal": "horizontal", "both": "horizontal_and_vertical"}


def flip_layer(kind: str, seed: int):
    """Return keras-cv's flip, which flips images and masks together.

    Args:
        kind: A key of `FLIPS`.
        seed: Of the layer's random numbers.
    """
    import warnings

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # keras-cv's own imports warn of their deprecations
        from keras_cv import layers
    return layers.RandomFlip(FLIPS[kind], seed=seed)


def erase(image: tf.Tensor, box: tf.Tensor) -> tf.Tensor:
    """Blot a rectangle out of a square crop with the mean colour.

    A classifier that often does not see an object's most telling part learns the others too, so its class
    maps cover more of the object (Singh and Lee, Hide-and-Seek, ICCV 2017). keras-cv's cutout does the same,
    but does not draw from its seed.

    Args:
        image: `(c, c, 3)` float32.
        box: `(4,)` in [0, 1]: height, width, and where it lies in the room it has, down and right.
    """
    side = tf.shape(image)[0]
    size = tf.cast(box[:2] * tf.cast(side, tf.float32), tf.int32)
    start = tf.cast(box[2:] * tf.cast(side - size + 1, tf.float32), tf.int32)
    rows, columns = (
        (tf.range(side) >= start[axis]) & (tf.range(side) < start[axis] + size[axis]) for axis in (0, 1)
    )
    return tf.where((rows[:, None] & columns)[..., None], tf.constant(FILL_RGB), image)
