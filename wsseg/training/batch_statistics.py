"""Batch normalisation's means and variances for inference, measured when the training is over."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from wsseg.loading.training_batches import TrainingBatches, epoch_seed
from wsseg.progress import bar
from wsseg.training.resumable_fit import seed_layers


class _Moments:
    """Sums of the moments that one layer meets, added up in its own calls.

    With a momentum of 0 a call leaves its batch's mean and variance in the layer's moving ones, from where they are
    added up in float64. A layer that a network calls several times per batch gives each call the same weight.
    """

    def __init__(self, layer: keras.layers.BatchNormalization):
        self.layer = layer
        shape = layer.moving_mean.shape
        self.calls = tf.Variable(0, dtype=tf.int64)
        self.means = tf.Variable(tf.zeros(shape, tf.float64))
        self.squares = tf.Variable(tf.zeros(shape, tf.float64))

    @contextmanager
    def listening(self) -> Iterator[None]:
        """Add up the moments of every call in training mode."""
        layer, call, momentum = self.layer, self.layer.call, self.layer.momentum

        def listened(inputs: Any, training: bool | None = None, mask: Any = None) -> Any:
            outputs = call(inputs, training=training, mask=mask)
            if training:
                mean = tf.cast(layer.moving_mean.value, tf.float64)
                self.calls.assign_add(1)
                self.means.assign_add(mean)
                self.squares.assign_add(tf.cast(layer.moving_variance.value, tf.float64) + mean**2)
            return outputs

        layer.call, layer.momentum = listened, 0.0
        try:
            yield
        finally:
            del layer.call  # the class's own is seen again
            layer.momentum = momentum

    def give(self) -> None:
        """Set the layer's moving mean and variance, unless it was never called in training mode."""
        calls = int(self.calls)
        if calls:
            mean = self.means.numpy() / calls
            self.layer.moving_mean.assign(mean)
            self.layer.moving_variance.assign(np.maximum(self.squares.numpy() / calls - mean**2, 0))


def estimate_statistics(
    model: keras.Model, batches: TrainingBatches, epoch: int, seed: int, most: int, text: str
) -> None:
    r"""Set the moving mean and variance of batch normalisation to those of training batches.

    While a network learns, they are moving averages. After n steps an average of momentum m still holds a share
    $m^n$ of its start (0.70 after 36 steps at 0.99) and the rest is of weights that have changed since. So the final
    network is shown further batches, in training mode and without learning, and each layer gets the mean of the
    batches' means and the variance over all of them: $E[\sigma_B^2 + \mu_B^2] - E[\mu_B]^2$, the pooled form.

    Layers that are not trainable keep their statistics, as they do in training. Nothing else changes: neither
    weights nor random states (dropout is on, as in training).

    Args:
        model: What was trained; its layers may be another model's too.
        batches: What it was trained on.
        epoch: The epoch to take batches of: one that training has not shown. Not more than this one.
        seed: Of dropout, together with the epoch.
        most: The most batches.
        text: For the progress display.

    References:
        Wu and Johnson, Rethinking "Batch" in BatchNorm, 2021, section 3 (PreciseBN).
    """
    norms = [
        _Moments(layer)
        for layer in model._flatten_layers()
        if isinstance(layer, keras.layers.BatchNormalization) and layer.trainable
    ]
    if not norms:
        return
    count = min(most, batches.steps)
    states = [one for one in model.non_trainable_variables if one.name == "seed_generator_state"]
    before = [keras.ops.convert_to_numpy(state) for state in states]
    epoch_seed(seed, epoch)
    seed_layers(model, seed, epoch)
    with ExitStack() as stack, bar(f"{text}: batch norm", count, "batches") as advance:
        for norm in norms:
            stack.enter_context(norm.listening())
        show = tf.function(lambda inputs: model(inputs, training=True))  # traced while the layers listen
        for batch in batches.epoch(epoch).take(count):
            show(keras.utils.unpack_x_y_sample_weight(batch)[0])
            advance()
    for norm in norms:
        norm.give()
    for state, value in zip(states, before):
        state.assign(value)
