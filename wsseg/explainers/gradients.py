"""Gradients of a head's class scores by the explained features: the one place that takes them."""

import keras
import tensorflow as tf

SCALE = 64.0
"""Lifts a mixed-precision head's gradients above float16's smallest numbers; a power of 2 loses no digit."""


def head_gradients(head: keras.Model, features: tf.Tensor, targets: tf.Tensor) -> tf.Tensor:
    """Differentiate class scores by the features, through the head only.

    All wanted classes go through in one pass: the features are repeated for each target, so a head is
    evaluated T times, and the much dearer network before it once.

    Args:
        head: Features `(B, h, w, C)` -> logits `(B, K)`.
        features: `(B, h, w, C)` float32.
        targets: `(B, T)` int32 class indices; -1 counts as 0.

    Returns:
        `(B, T, h, w, C)` float32.
    """
    count = tf.shape(targets)[1]
    repeated = tf.repeat(features, count, axis=0)  # (B * T, h, w, C)
    wanted = tf.reshape(tf.maximum(targets, 0), [-1])
    with tf.GradientTape() as tape:
        tape.watch(repeated)
        logits = tf.cast(head(repeated, training=False), tf.float32)
        score = tf.reduce_sum(tf.gather(logits, wanted, axis=1, batch_dims=1)) * SCALE
    gradients = tape.gradient(score, repeated) / SCALE
    shape = tf.concat([tf.shape(targets), tf.shape(features)[1:]], axis=0)
    return tf.reshape(gradients, shape)
