"""Scores that are saturated probabilities: their gradient almost vanishes, so their map may be faint or empty."""

import warnings
from typing import TYPE_CHECKING

import keras
import numpy as np
import tensorflow as tf

from wsseg.errors import InputError
from wsseg.explainers.network import Network, Outputs

if TYPE_CHECKING:
    from wsseg.explainers.targets import Target

NEAR = 1e-3
"""Distance from 0 or 1 within which a probability counts as saturated: its gradient is at most this share of the
logit's."""


class SaturationWarning(UserWarning):
    """An explained score is a probability so near 0 or 1 that its map may be faint or empty."""


def may_saturate(target: "Target", network: Network, output: str | int | None) -> bool:
    """Return whether a target may read probabilities: those of the model, or outputs whose logits were not found."""
    if not target.saturates:
        return False
    if network.logits is None:
        return True
    chosen = output if target.output is None else target.output
    names = list(network.names)
    if isinstance(chosen, str) and chosen in names:
        chosen = names.index(chosen)
    try:
        found = network.logits if chosen is None else [network.logits[chosen]]
    except (IndexError, TypeError):
        found = network.logits
    if target.logits:
        return not all(x.known for x in found)
    return not all(x.known and x.kind == "none" for x in found)


def saturated(outputs: Outputs, scores: tf.Tensor, output: str | int | None) -> tf.Tensor:
    """Find the saturated scores of a batch.

    Args:
        outputs: The model's outputs for the batch.
        scores: `(B, T)` scores that were explained.
        output: Name or position of the output; None for any.

    Returns:
        `(2, B, T)` bool. First, whether the score is saturated: the image's outputs are probabilities, and the score
        is one of them and within `NEAR` of 0 or 1, or all of them are. Second, whether the outputs are probabilities,
        so that an empty map may be due to saturation too. Outputs count as probabilities if they are in [0, 1], or
        if they are multiples of 0 and 1 alone, as percentages of a sure model are.
    """
    try:
        read = [outputs.one(output, logits=False)]
    except InputError:
        read = keras.tree.flatten(outputs.values)
    flags = suspects = tf.zeros(tf.shape(scores), bool)
    near = _nearness(tf.abs(scores)) < NEAR
    for values in read:
        if not values.dtype.is_floating:
            continue
        rows = tf.reshape(tf.cast(values, tf.float32), (tf.shape(values)[0], -1))
        low, high = tf.reduce_min(rows, axis=1), tf.reduce_max(rows, axis=1)
        inside = (low >= -1e-6) & (high <= 1 + 1e-6)
        several = (tf.shape(rows)[1] > 1) & (low >= -1e-6) & (high > 1 + 1e-6)
        multiple = several & tf.reduce_all(
            _nearness(tf.math.divide_no_nan(rows, high[:, None])) < NEAR, axis=1
        )
        sure = tf.reduce_all(_nearness(rows) < NEAR, axis=1) | multiple
        distance = tf.reduce_min(tf.abs(tf.abs(scores)[:, :, None] - rows[:, None, :]), axis=2)
        flags |= (inside | multiple)[:, None] & (near & (distance < NEAR) | sure[:, None])
        suspects |= inside[:, None]
    return tf.stack([flags, suspects])


def _nearness(values: tf.Tensor) -> tf.Tensor:
    """Return the distances from the nearer of 0 and 1."""
    return tf.minimum(tf.abs(values), tf.abs(1 - values))


def warn_of_saturation(
    flags: np.ndarray, maps: np.ndarray, present: np.ndarray | bool, network: Network, asked: bool
) -> None:
    """Warn if explained scores are saturated, or if a map of a score that may be a probability is empty.

    Args:
        flags: `(2, B, T)` bool from `saturated`.
        maps: `(B, T, ...)` maps.
        present: `(B, T)` bool, False where an image has no such score; True for all.
        network: The model.
        asked: Whether the user has asked for probabilities although the logits are known.
    """
    empty = ~maps.reshape(*maps.shape[:2], -1).any(axis=2) & flags[1] & (not asked)
    wrong = ((flags[0] | empty) & present).any(axis=1)
    if not wrong.any():
        return
    count = f"{wrong.sum()} of {len(wrong)} images (first: number {np.argmax(wrong)})"
    if asked:
        hint = "explain the logit instead: give class indices, or a target with logits=True"
    else:
        hint = (
            "the logits before the model's last activation were not found; explain a model without that activation, "
            "or a target that gives a logit, such as log(p) - log(1 - p)"
        )
    what = "is a probability within 0.001 of 0 or 1" if flags[0].any() else "may be a saturated probability"
    warnings.warn(
        f"the explained score of model `{network.model.name}` {what} for {count}, so its gradient vanishes and its "
        f"map may be faint or empty; {hint}",
        SaturationWarning,
        stacklevel=4,
    )
