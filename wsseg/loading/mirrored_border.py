"""Context for networks without padding: the image is extended by mirroring at its borders."""

import tensorflow as tf

from wsseg.artifacts import IGNORE


def with_mirrored_border(
    image: tf.Tensor, mask: tf.Tensor, long_side: tf.Tensor, margin: int
) -> tuple[tf.Tensor, tf.Tensor]:
    """Scale an image and its mask, and add a border to both.

    A network without padding sees `margin` more pixels on each side than it labels. With a border of this width, it can
    label every pixel of the image, including the outermost ones. In the border, it sees the same content as in
    inference (`wsseg.segmenters.overlap_tile`).

    Args:
        image: `(H, W, 3)` uint8.
        mask: `(H, W, 1)` uint8 class ids.
        long_side: Scalar: length to which the long side is scaled, pixels.
        margin: Width of the border, pixels.

    Returns:
        Image `(h + 2 margin, w + 2 margin, 3)` float32, mirrored without repeating the border pixel; mask of the same
        size, uint8, 255 in the border.

    Example:
        >>> row = tf.constant([[[0], [10], [20]]], tf.uint8) * tf.ones((1, 1, 3), tf.uint8)
        >>> image, mask = with_mirrored_border(row, row[..., :1], 3.0, 1)
        >>> image[1, :, 0].numpy().tolist(), mask[1, :, 0].numpy().tolist()
        ([10.0, 0.0, 10.0, 20.0, 10.0], [255, 0, 10, 20, 255])
    """
    size = tf.cast(tf.shape(image)[:2], tf.float32)
    scaled = tf.maximum(tf.cast(tf.round(size * (long_side / tf.reduce_max(size))), tf.int32), 1)
    image = tf.image.resize(image, scaled, antialias=True)
    mask = tf.image.resize(mask, scaled, method="nearest")
    image = tf.gather(image, _mirrored(scaled[0], margin), axis=0)
    image = tf.gather(image, _mirrored(scaled[1], margin), axis=1)
    border = [[margin, margin], [margin, margin], [0, 0]]
    return image, tf.pad(mask, border, constant_values=IGNORE)


def _mirrored(length: tf.Tensor, margin: int) -> tf.Tensor:
    """Return the index of the pixel at each position -margin .. length + margin - 1."""
    period = tf.maximum(2 * length - 2, 1)
    index = tf.math.floormod(tf.range(-margin, length + margin), period)
    return tf.minimum(index, period - index)
