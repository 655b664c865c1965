"""Optimizers with the poly schedule and a learning rate of the head apart from the backbone's."""

from collections.abc import Hashable, Iterable

import keras

from wsseg.errors import InputError, nearest

OPTIMIZERS = ("sgd", "adamw")
POLY_POWER = 0.9  # DeepLab v2, section 4.1


SPARED = r"(^|/)(bias|gamma|beta)(:\d+)?$"
"""What has no weight decay; the whole last part of a variable's path, so that no layer's name matches."""


class _Multipliers:
    """A factor on the learning rate of some variables, for a Keras optimizer to inherit first."""

    multipliers: dict[Hashable, float] = {}

    def multiply(self, variables: Iterable[keras.Variable], factor: float) -> None:
        """Train `variables` with `factor` times the rate; not part of the saved configuration."""
        # An update gets the backend's variable, not the Keras one: `_var_key` is the same for both.
        self.multipliers = {self._var_key(variable): factor for variable in variables}

    def update_step(self, gradient, variable, learning_rate):
        """Take the base optimizer's step at the variable's own rate."""
        factor = self.multipliers.get(self._var_key(variable), 1.0)
        return super().update_step(gradient, variable, learning_rate * factor)


@keras.saving.register_keras_serializable(package="wsseg")
class SGDWithMultipliers(_Multipliers, keras.optimizers.SGD):
    """SGD with a factor on the learning rate of some variables."""


@keras.saving.register_keras_serializable(package="wsseg")
class AdamWWithMultipliers(_Multipliers, keras.optimizers.AdamW):
    """AdamW with a factor on the learning rate of some variables."""


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

    Raises:
        InputError: No optimizer of that name.

    References:
        Chen et al., DeepLab v2, section 4.1 (poly, power 0.9; head x10).
    """
    schedule = keras.optimizers.schedules.PolynomialDecay(learning_rate, max(steps, 1), 0.0, POLY_POWER)
    decay = weight_decay or None
    if name not in OPTIMIZERS:
        raise InputError(f"unknown optimizer `{name}`; {nearest(name, OPTIMIZERS)}")
    if name == "adamw":
        optimizer = AdamWWithMultipliers(schedule, weight_decay=weight_decay)
    else:
        optimizer = SGDWithMultipliers(schedule, momentum=0.9, weight_decay=decay)
    optimizer.multiply(head, head_multiplier)
    if decay:
        optimizer.exclude_from_weight_decay(var_names=[SPARED])
    return optimizer
