"""Optimizers with the poly schedule and a learning rate of the head apart from the backbone's."""

from collections.abc import Iterable

import keras

POLY_POWER = 0.9  # DeepLab v2, section 4.1


def _with_multipliers(base: type[keras.optimizers.Optimizer]) -> type[keras.optimizers.Optimizer]:
    class WithMultipliers(base):
        """The base optimizer, with a factor on the learning rate of some variables."""

        multipliers: dict[int, float] = {}

        def update_step(self, gradient, variable, learning_rate):
            factor = self.multipliers.get(id(variable), 1.0)
            return super().update_step(gradient, variable, learning_rate * factor)

    return WithMultipliers


def create(
    name: str,
    learning_rate: float,
    steps: int,
    head: Iterable[keras.Variable] = (),
    head_multiplier: float = 1.0,
    weight_decay: float = 0.0,
) -> keras.optimizers.Optimizer:
    """Return an optimizer whose rate falls as `(1 - step / steps)^0.9` and is higher in the head.

    Args:
        name: sgd (momentum 0.9) or adamw.
        learning_rate: Of the backbone at step 0.
        steps: Of the whole training.
        head: Variables with another rate.
        head_multiplier: Their rate over the backbone's.
        weight_decay: Decoupled; multiplied by the scheduled rate. Biases and batch norms are spared.

    Returns:
        A Keras optimizer, ready for `compile`.

    References:
        Chen et al., DeepLab v2, section 4.1 (poly, power 0.9; head x10).
    """
    schedule = keras.optimizers.schedules.PolynomialDecay(learning_rate, max(steps, 1), 0.0, POLY_POWER)
    decay = weight_decay or None
    if name == "adamw":
        optimizer = _with_multipliers(keras.optimizers.AdamW)(schedule, weight_decay=weight_decay)
    else:
        optimizer = _with_multipliers(keras.optimizers.SGD)(schedule, momentum=0.9, weight_decay=decay)
    optimizer.multipliers = {id(variable): head_multiplier for variable in head}
    if decay:
        optimizer.exclude_from_weight_decay(var_names=["bias", "gamma", "beta"])
    return optimizer
