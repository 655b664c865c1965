"""Optimizers with the poly schedule and separate learning rates for head and backbone."""

from collections.abc import Hashable, Iterable

import keras

from wsseg.errors import InputError, nearest

OPTIMIZERS = ("sgd", "adamw")
POLY_POWER = 0.9  # DeepLab v2, section 4.1


SPARED = r"(^|/)(bias|gamma|beta)(:\d+)?$"
"""Variables without weight decay: it matches the whole last part of a variable's path, so it never matches a layer."""


class _Multipliers:
    """A factor on the learning rate of some variables: a mix-in that must be the first base class of an optimizer."""

    multipliers: dict[Hashable, float] = {}

    def multiply(self, variables: Iterable[keras.Variable], factor: float) -> None:
        """Train `variables` with `factor` times the learning rate; this is not part of the saved configuration."""
        # An update gets the variable of the backend, not of Keras; `_var_key` is the same for both.
        self.multipliers = {self._var_key(variable): factor for variable in variables}

    def update_step(self, gradient, variable, learning_rate):
        """Run the step of the base optimizer with the variable's own learning rate."""
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
    """Return an optimizer whose learning rate falls as `(1 - step / steps)^0.9`, with a factor for the head.

    Args:
        name: "sgd" (momentum 0.9) or "adamw".
        learning_rate: Learning rate of the backbone at step 0.
        steps: Number of steps of the whole training.
        head: Variables with another learning rate.
        head_multiplier: Learning rate of `head` divided by that of the backbone.
        weight_decay: Decoupled weight decay; each step multiplies it by the learning rate. Biases and the scale and
            offset of normalisations have none.

    Returns:
        A Keras optimizer, ready for `compile`.

    Raises:
        InputError: The optimizer is unknown.

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
