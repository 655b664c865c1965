"""From a classifier's outputs to the log-odds of one class, and whether it is predicted."""

from collections.abc import Sequence

import keras
import numpy as np
import tensorflow as tf

from wsseg.errors import InputError, is_whole, nearest
from wsseg.explainers.output_kind import output_kind

OUTPUTS = ("softmax", "sigmoid", "softmax_logits", "sigmoid_logits")


def outputs_of(model: keras.Model) -> str:
    """Find from its last operations what a model's outputs are; see `wsseg.explainers.output_kind`.

    Raises:
        InputError: The outputs are logits of several classes, which do not tell whether an image has one class or
            several, or their kind is unknown.
    """
    found = output_kind(model)
    if found.assumed:
        raise InputError(
            f"model `{model.name}` ends not in a softmax or sigmoid; say what its outputs are: "
            "`outputs='softmax_logits'` (one class per image) or `outputs='sigmoid_logits'` (several)"
        )
    return f"{found.kind}_logits" if found.logits else found.kind


def checked_outputs(outputs: str | None, model: keras.Model) -> str:
    """Return `outputs`, or if it is None, the kind found from the model's last layer.

    Raises:
        InputError: `outputs` is not one of `OUTPUTS`, or it is None and the kind is unknown.
    """
    if outputs is None:
        return outputs_of(model)
    if outputs not in OUTPUTS:
        raise InputError(f"unknown `outputs` {outputs!r}; {nearest(str(outputs), OUTPUTS)}")
    return outputs


def checked_class_ids(class_ids: int | Sequence[int], num_classes: int, outputs: str) -> tuple[int, ...]:
    """Return class indices as a tuple.

    Raises:
        InputError: There is no index, an index occurs twice or is out of range, or all classes of a softmax are given.
    """
    given = (class_ids,) if np.isscalar(class_ids) else tuple(class_ids)
    whole = all(is_whole(i) for i in given)
    if not given or not whole or len(set(given)) < len(given):
        raise InputError(f"`class_ids` must be one or several distinct class indices; got {class_ids!r}")
    if min(given) < 0 or max(given) >= num_classes:
        raise InputError(f"`class_ids` must be from 0 to {num_classes - 1}; got {class_ids!r}")
    if outputs.startswith("softmax") and len(given) == num_classes:
        raise InputError(
            f"`class_ids` {class_ids!r} are all {num_classes} classes of a softmax, one of which is always "
            "predicted; remove some, or use a model with sigmoid outputs"
        )
    return tuple(int(i) for i in given)


def class_odds(outputs: tf.Tensor, chosen: tf.Tensor, kind: str) -> tuple[tf.Tensor, tf.Tensor]:
    """Return the log-odds of a class, or of a group of classes that counts as one, and whether it is predicted.

    Args:
        outputs: `(B, K)` float model outputs.
        chosen: `(K,)` bool, True for the classes of the group.
        kind: Kind of the outputs, one of `OUTPUTS`.

    Returns:
        `(B,)` float32 log-odds, log(p / (1 - p)): for a softmax, p is the sum over the group and 1 - p the sum over
        the other classes; for sigmoids, the log-odds are the group's highest logit. `(B,)` bool: whether the most
        likely class is in the group (softmax), or a class of the group has p >= 0.5 (sigmoid).
    """
    values = tf.cast(outputs, tf.float32)
    if kind == "softmax":
        values = tf.math.log(tf.maximum(values, np.finfo(np.float32).tiny))
    elif kind == "sigmoid":
        values = tf.clip_by_value(values, 1e-7, 1 - 1e-7)
        values = tf.math.log(values) - tf.math.log1p(-values)
    inside, outside = tf.where(chosen, values, -np.inf), tf.where(chosen, -np.inf, values)
    highest = tf.reduce_max(inside, axis=1)
    if kind.startswith("sigmoid"):
        return highest, highest >= 0
    odds = tf.reduce_logsumexp(inside, axis=1) - tf.reduce_logsumexp(outside, axis=1)
    return odds, tf.gather(chosen, tf.argmax(values, axis=1))
