"""The validation values of a training, epoch by epoch, without an effect on the training."""

from typing import Any

import keras

from wsseg.loading.training_batches import TrainingBatches
from wsseg.recipe import TrainingConfig
from wsseg.training.batch_statistics import BatchStatistics
from wsseg.training.mean_teacher import MeanTeacher
from wsseg.training.validation import Validation

STATISTICS_BATCHES = 4
"""Maximum number of training batches on which the statistics of batch normalisation are measured for one point."""

SHARE = 10
"""An epoch's training costs at least this many times what one point of the curve costs, on the average."""


class ValidationCurve:
    """Measures a network after some epochs of its training, as it would be if the training ended there.

    During training, the moving averages of batch normalisation lag behind the weights, so after few steps a network
    that has learnt well can score 0 (see `wsseg.training.batch_statistics`). So each point is measured with means and
    variances of at most 4 training batches, always the same ones; a mean teacher's weights take the place of the
    student's, as at the end of the training. With `statistics_batches: 0` the moving averages are used, as by the final
    network. Afterwards all variables have their earlier values. Each epoch seeds its random states anew, so training is
    the same with and without the curve.

    A point costs V + S, in pixels that pass once through the network: V of the validation images, S of the batches for
    the statistics. An epoch costs 3 times its pixels, as the backward pass costs about twice the forward pass. The
    curve has a point after every n-th epoch, with the smallest n at which n epochs cost 10 (V + S) or more, and after
    the last epoch. Tracing the network once per training is not counted.

    Args:
        model: The model that is trained; may be a `MeanTeacher`.
        batches: Training data with `steps`, `batch_size` and `epoch(number)`, as in `TrainingBatches`.
        config: Options of the training.
        seed: Random seed of the training.
        validation: What is measured.

    Attributes:
        every: Number of epochs between two points.
    """

    def __init__(
        self,
        model: keras.Model,
        batches: TrainingBatches,
        config: TrainingConfig,
        seed: int,
        validation: Validation,
    ):
        self.model, self.batches, self.config, self.seed = model, batches, config, seed
        self.validation = validation
        self.statistics = BatchStatistics(model)
        self.most = min(STATISTICS_BATCHES, config.statistics_batches, batches.steps)
        batch = batches.batch_size * config.crop**2
        point = validation.pixels + (self.most * batch if self.statistics.norms else 0)
        self.every = max(1, -(-SHARE * point // (3 * batches.steps * batch)))

    def after(self, epoch: int) -> dict[str, float]:
        """Return the values after an epoch; an empty dictionary if the curve has no point there.

        Args:
            epoch: Index of the epoch, from 0.
        """
        if (epoch + 1) % self.every and epoch + 1 < self.config.epochs:
            return {}
        before = [(variable, keras.ops.convert_to_numpy(variable)) for variable in self._changing()]
        try:
            if isinstance(self.model, MeanTeacher):
                self.model.finish()
            if self.most:
                # The epoch after the last is measured at the end of the training; this one is never used.
                self.statistics.estimate(self.batches, self.config.epochs + 1, self.seed, self.most)
            return self.validation.measure()
        finally:
            for variable, value in before:
                variable.assign(value)

    def _changing(self) -> list[Any]:
        """Return the variables that measuring changes; `BatchStatistics` itself restores the random states."""
        layers = [norm.layer for norm in self.statistics.norms]
        statistics = [one for layer in layers for one in (layer.moving_mean, layer.moving_variance)]
        return statistics + (self.model.segmenter.variables if isinstance(self.model, MeanTeacher) else [])
