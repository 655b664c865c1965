"""Augmentation of images together with their masks: random scale and crop, flip, photometric jitter.

Scale and crop are our own, because the crops of core Keras and keras-cv create false class ids or fail on images that
are smaller than the crop. The jitter is computed by core Keras' layers. All random numbers are drawn in advance and
follow from `(seed, epoch)`, so that nothing in the pipeline has a random state: under deterministic operations tf.data
runs whatever has one serially and without prefetching.
"""

from dataclasses import dataclass

import numpy as np
import tensorflow as tf

from wsseg.artifacts import IGNORE

FILL_RGB = (124.0, 116.0, 104.0)
"""ImageNet's mean colour, RGB. It fills the padding, and is near 0 after any network's preprocessing."""


@dataclass(frozen=True)
class Crops:
    """Random numbers of one epoch's crops, drawn in advance so that parallel loading cannot change their order.

    Attributes:
        order: `(N,) int64`: Index of the record at each position of the epoch.
        size: `(N,) float32`: Length to which the image's long side is scaled, pixels; or, for a range of `scale`, the
            factor by which the image is scaled.
        offset_yx: `(N, 2) float32` in [0, 1): Position of the crop, as a share of the range of possible positions.
        erased: `(N, 4) float32` in [0, 1): Size and position of the erased rectangle, see `erase`.
        object_at: `(N, 3) float32` in [0, 1): Numbers that choose whether the crop shows an object, and which, see
            `wsseg.loading.object_crops`.
        flip: `(N, 2) float32` in [0, 1): Numbers that choose whether the crop is flipped, vertically and horizontally.
        jitter: `(N, 3) float32` in [-1, 1): Changes of brightness, contrast and saturation, as shares of the largest.
    """

    order: np.ndarray
    size: np.ndarray
    offset_yx: np.ndarray
    erased: np.ndarray
    object_at: np.ndarray
    flip: np.ndarray
    jitter: np.ndarray

    @classmethod
    def draw(
        cls, count: int, size: tuple[float, float], seed: int, epoch: int, erase_share: float = 0.0
    ) -> "Crops":
        """Draw one epoch's numbers.

        Args:
            count: Number of records.
            size: Range of the scaled long side, pixels; or of the factor.
            seed: Random seed of the run.
            epoch: Index of the epoch, from 0.
            erase_share: Largest side of the erased rectangle, as a share of the crop's side.
        """
        random = np.random.default_rng([seed, epoch])
        return cls(
            random.permutation(count).astype(np.int64),
            random.uniform(*size, count).astype(np.float32),
            # Drawn as float32, because a float64 below 1 could be rounded to 1, which is out of range.
            random.random((count, 2), dtype=np.float32),
            random.random((count, 4), dtype=np.float32) * np.float32([erase_share, erase_share, 1, 1]),
            random.random((count, 3), dtype=np.float32),
            random.random((count, 2), dtype=np.float32),
            2 * random.random((count, 3), dtype=np.float32) - 1,
        )


def scale_and_crop(
    image: tf.Tensor,
    mask: tf.Tensor,
    long_side: tf.Tensor,
    offset_yx: tf.Tensor,
    crop: int,
    shown_yx: tf.Tensor | None = None,
) -> tuple[tf.Tensor, tf.Tensor]:
    """Scale an image and its mask in the same way, and crop or pad them to a square.

    Args:
        image: `(H, W, 3)` uint8.
        mask: `(H, W, 1)` uint8 class ids.
        long_side: Scalar: length to which the long side is scaled, pixels.
        offset_yx: `(2,)` in [0, 1): Position of the crop in the image; or, if the image is smaller, of the image in
            the crop.
        crop: Side of the square, pixels.
        shown_yx: `(2,)` in [0, 1): Point of the image that the crop shows, as a share of its sides. `offset_yx` is then
            the point's position in the crop, as far as the crop stays inside the image. None, or a negative point: any
            crop.

    Returns:
        Image `(crop, crop, 3)` float32, resized bilinearly, padded with `FILL_RGB`; labels `(crop, crop, 2)` float32:
        the class id, resized by nearest neighbour and padded with 255, and the validity, 1 inside the image.
    """
    scaled, window, padding = _window(tf.shape(image)[:2], long_side, offset_yx, crop, shown_yx)
    image = _filled_image(image, scaled, window, padding, crop)
    mask = tf.image.resize(mask, scaled, method="nearest")[window]
    valid = tf.pad(tf.ones_like(mask, tf.float32), padding)
    labels = tf.pad(tf.cast(mask, tf.float32) - IGNORE, padding) + IGNORE
    return image, tf.ensure_shape(tf.concat([labels, valid], axis=-1), (crop, crop, 2))


def scale_and_crop_objects(
    image: tf.Tensor, masks: tf.Tensor, long_side: tf.Tensor, offset_yx: tf.Tensor, crop: int
) -> tuple[tf.Tensor, tf.Tensor]:
    """Scale and crop like `scale_and_crop`, but with masks of objects, which may overlap.

    Args:
        image: `(H, W, 3)` uint8.
        masks: `(H, W, M)` uint8 of zeros and ones.
        long_side: See `scale_and_crop`.
        offset_yx: See `scale_and_crop`.
        crop: Side of the square, pixels.

    Returns:
        Image `(crop, crop, 3)` float32; masks `(crop, crop, M + 1)` uint8, resized by nearest neighbour. The last mask
        is the validity.
    """
    scaled, window, padding = _window(tf.shape(image)[:2], long_side, offset_yx, crop)
    image = _filled_image(image, scaled, window, padding, crop)
    count = masks.shape[-1]
    masks = tf.image.resize(masks, scaled, method="nearest")[window]
    masks = tf.concat([masks, tf.ones_like(masks[..., :1])], axis=-1)
    return image, tf.ensure_shape(tf.pad(masks, padding), (crop, crop, count + 1))


def _window(size, long_side, offset_yx, crop: int, shown_yx=None) -> tuple:
    """Return the scaled size, the window of the scaled image that the crop shows, and the padding around it."""
    size = tf.cast(size, tf.float32)
    scaled = tf.maximum(tf.cast(tf.round(size * (long_side / tf.reduce_max(size))), tf.int32), 1)
    room = scaled - crop
    start = tf.cast(offset_yx * tf.cast(tf.maximum(room, 0) + 1, tf.float32), tf.int32)
    if shown_yx is not None:
        point = tf.cast(shown_yx * tf.cast(scaled, tf.float32), tf.int32)
        around = tf.clip_by_value(point - tf.cast(offset_yx * crop, tf.int32), 0, tf.maximum(room, 0))
        start = tf.where(shown_yx < 0, start, around)
    stop = tf.minimum(start + crop, scaled)
    before = tf.cast(offset_yx * tf.cast(tf.maximum(-room, 0) + 1, tf.float32), tf.int32)
    after = crop - before - (stop - start)
    padding = tf.concat([tf.stack([before, after], axis=1), [[0, 0]]], axis=0)
    return scaled, (slice(start[0], stop[0]), slice(start[1], stop[1])), padding


def _filled_image(image, scaled, window, padding, crop: int):
    fill = tf.constant(FILL_RGB)
    image = tf.image.resize(image, scaled, antialias=True)[window]
    return tf.ensure_shape(tf.pad(image - fill, padding) + fill, (crop, crop, 3))


FLIPS = {"horizontal": (False, True), "both": (True, True)}
"""Name of the option `mirror` -> whether half of the images are flipped vertically, and horizontally."""


def flipped(tensor: tf.Tensor, numbers: tf.Tensor, kind: str) -> tf.Tensor:
    """Flip half of the images.

    Args:
        tensor: `(H, W, C)`: An image, or masks, which are flipped with it by the same numbers.
        numbers: `(2,)` in [0, 1): Flipped vertically, or horizontally, where the number is below a half.
        kind: Name in `FLIPS`.
    """
    for axis, wanted in enumerate(FLIPS[kind]):
        if wanted:
            tensor = tf.where(numbers[axis] < 0.5, tf.reverse(tensor, [axis]), tensor)
    return tensor


class Jitter:
    """Photometric changes of a batch: brightness, then contrast, then saturation, as core Keras' layers compute them.

    Args:
        strength: Strength in [0, 1]: brightness and contrast change by up to this share, saturation by half of it.
    """

    def __init__(self, strength: float):
        from keras import layers

        self.strength = strength
        # The layers' own random numbers are not used, so their factors only have to be legal. RandomSaturation clips
        # the saturation, not the image, to `value_range`.
        bounds = (0, 255)
        self._brightness = layers.RandomBrightness(strength, value_range=bounds, dtype="float32")
        self._contrast = layers.RandomContrast(strength, value_range=bounds, dtype="float32")
        self._saturation = layers.RandomSaturation(0.5, value_range=(0, 1), dtype="float32")

    def __call__(self, images: tf.Tensor, numbers: tf.Tensor) -> tf.Tensor:
        """Change the images.

        Args:
            images: `(B, H, W, 3)` float32 in 0..255.
            numbers: `(B, 3)` in [-1, 1): Changes of brightness, contrast and saturation, as shares of the largest.

        Returns:
            `(B, H, W, 3)` float32 in 0..255.
        """
        if self.strength == 0:
            return images
        change = self.strength * numbers[:, None, None, :]
        images = self._brightness.transform_images(images, {"rgb_delta": 255 * change[..., :1]})
        images = self._contrast.transform_images(images, {"contrast_factor": 1 + change[..., 1:2]})
        # A share s of saturation multiplies it by s / (1 - s): 0.5 leaves the image as it is.
        share = 0.5 + self.strength / 4 * numbers[:, 2]
        return self._saturation.transform_images(images, {"factor": share / (1 - share)})


def erase(image: tf.Tensor, box: tf.Tensor) -> tf.Tensor:
    """Erase a rectangle of a square crop: fill it with the mean colour.

    If an object's most discriminative part is often hidden, a classifier also learns the other parts, so its class maps
    cover more of the object (Singh and Lee, Hide-and-Seek, ICCV 2017). keras-cv's cutout does the same, but ignores its
    seed.

    Args:
        image: `(c, c, 3)` float32.
        box: `(4,)` in [0, 1]: Height and width as shares of the side; vertical and horizontal position as shares of the
            range of possible positions.
    """
    side = tf.shape(image)[0]
    size = tf.cast(box[:2] * tf.cast(side, tf.float32), tf.int32)
    start = tf.cast(box[2:] * tf.cast(side - size + 1, tf.float32), tf.int32)
    rows, columns = (
        (tf.range(side) >= start[axis]) & (tf.range(side) < start[axis] + size[axis]) for axis in (0, 1)
    )
    return tf.where((rows[:, None] & columns)[..., None], tf.constant(FILL_RGB), image)
