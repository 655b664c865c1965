"""Means and variances of batch normalisation for inference, measured at the end of a training."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from wsseg.loading.pipeline import readers_errors
from wsseg.loading.training_batches import TrainingBatches, epoch_seed
from wsseg.progress import bar
from wsseg.training.resumable_fit import seed_layers


class _Moments:
    """Sums of the moments of one layer's inputs, over all its calls in training mode.

    With a momentum of 0, each call sets the layer's moving mean and variance to those of its batch. They are summed in
    float64. If a network calls the layer several times per batch, each call has the same weight.

    Args:
        layer: The layer of batch normalisation.
    """

    def __init__(self, layer: keras.layers.BatchNormalization):
        self.layer = layer
        shape = layer.moving_mean.shape
        self.calls = tf.Variable(0, dtype=tf.int64)
        self.means = tf.Variable(tf.zeros(shape, tf.float64))
        self.squares = tf.Variable(tf.zeros(shape, tf.float64))

    @contextmanager
    def listening(self) -> Iterator[None]:
        """Sum the moments of every call in training mode, as long as the context lasts."""
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
            del layer.call  # so that the method of the class is used again
            layer.momentum = momentum

    def forget(self) -> None:
        """Set the sums to 0."""
        for total in (self.calls, self.means, self.squares):
            total.assign(tf.zeros_like(total))

    def give(self) -> None:
        """Set the layer's moving mean and variance; a layer without a call in training mode keeps its own."""
        calls = int(self.calls)
        if calls:
            mean = self.means.numpy() / calls
            self.layer.moving_mean.assign(mean)
            self.layer.moving_variance.assign(np.maximum(self.squares.numpy() / calls - mean**2, 0))


class BatchStatistics:
    """Measures the statistics of a model's layers of batch normalisation; the network is traced once for all measures.

    Args:
        model: See `estimate_statistics`.

    Attributes:
        norms: The trainable layers of batch normalisation, with the sums of their moments.
    """

    def __init__(self, model: keras.Model):
        self.model = model
        self.norms = [
            _Moments(layer)
            for layer in model._flatten_layers()
            if isinstance(layer, keras.layers.BatchNormalization) and layer.trainable
        ]
        self._show = tf.function(lambda inputs: model(inputs, training=True))

    def estimate(
        self,
        batches: TrainingBatches,
        epoch: int,
        seed: int,
        most: int,
        advance: Callable[[], None] = lambda: None,
    ) -> None:
        """Set the moving means and variances; see `estimate_statistics`.

        Args:
            batches: See `estimate_statistics`, also for `epoch`, `seed` and `most`.
            epoch: Number of the epoch.
            seed: Random seed.
            most: Maximum number of batches.
            advance: Function that is called after each batch.
        """
        if not self.norms:
            return
        states = [one for one in self.model.non_trainable_variables if one.name == "seed_generator_state"]
        before = [keras.ops.convert_to_numpy(state) for state in states]
        epoch_seed(seed, epoch)
        seed_layers(self.model, seed, epoch)
        with ExitStack() as stack:
            stack.enter_context(readers_errors())
            for norm in self.norms:
                norm.forget()
                stack.enter_context(norm.listening())
            for batch in batches.epoch(epoch).take(min(most, batches.steps)):
                self._show(
                    keras.utils.unpack_x_y_sample_weight(batch)[0]
                )  # the first call traces: momentum 0
                advance()
        for norm in self.norms:
            norm.give()
        for state, value in zip(states, before):
            state.assign(value)


def estimate_statistics(
    model: keras.Model, batches: TrainingBatches, epoch: int, seed: int, most: int, text: str
) -> None:
    r"""Set the moving mean and variance of every layer of batch normalisation to those of training batches.

    During training they are moving averages. After n steps, an average of momentum m still contains a share $m^n$ of
    its initial value (0.70 after 36 steps at 0.99), and the rest comes from weights that have changed since. So the
    trained network gets further batches, in training mode but without a step. Each layer's mean becomes the mean of
    the batches' means, its variance the pooled one: $E[\sigma_B^2 + \mu_B^2] - E[\mu_B]^2$.

    Layers that are not trainable keep their statistics, as in training. Weights and random states do not change;
    dropout is on, as in training.

    Args:
        model: The model that was trained; it may share its layers with another model, which changes with it.
        batches: Training data with `steps` and `epoch(number)`, as in `TrainingBatches`.
        epoch: Number of the epoch whose batches are used; training should not have used it.
        seed: Random seed of dropout, together with the epoch.
        most: Maximum number of batches; there are never more than one epoch's.
        text: Text of the progress bar.

    References:
        Wu and Johnson, Rethinking "Batch" in BatchNorm, 2021, section 3 (PreciseBN).
    """
    statistics = BatchStatistics(model)
    if statistics.norms:
        with bar(f"{text}: batch norm", min(most, batches.steps), "batches") as advance:
            statistics.estimate(batches, epoch, seed, most, advance)
