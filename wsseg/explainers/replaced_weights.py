"""Whether a model's weights or activations were replaced by other objects, which compiled functions do not see."""

from collections.abc import Sequence
from typing import Any

import keras
import tensorflow as tf

from wsseg.errors import InputError


class Replaced:
    """Watches a model for replaced variables.

    New values of a variable (`fit`, `set_weights`, `load_weights`, `assign`) reach a compiled function at once. Another
    variable in its place (`quantize`, `enable_lora`, a new build), another activation or other constants
    (`Normalization.adapt`) do not: then the function must be compiled again.

    Args:
        model: The model; built by the first check.
    """

    def __init__(self, model: keras.Model):
        self.model = model
        self._parts: list[tuple[Any, Sequence[str]]] | None = None
        self._seen: list[Any] = []
        self._layers: list[Any] = []

    def check(self) -> bool:
        """Return whether something was replaced since the last check.

        Raises:
            InputError: Layers were added or removed.
        """
        if self._parts is None:
            self._layers = list(self.model.layers)
            parts = [(part, _names(part)) for part in self.model._flatten_layers()]
            self._parts = [(part, names) for part, names in parts if names or part.variables]
            self._seen = self._objects()
            return False
        layers = self.model.layers
        if len(layers) != len(self._layers) or any(x is not y for x, y in zip(layers, self._layers)):
            raise InputError(
                f"layers of model `{self.model.name}` were added or removed since it was first explained; create the "
                "explainer again"
            )
        found = self._objects()
        if len(found) == len(self._seen) and all(x is y for x, y in zip(found, self._seen)):
            return False
        self._parts, self._seen = None, []
        self.check()
        return True

    def _objects(self) -> list[Any]:
        found: list[Any] = []
        for part, names in self._parts or ():
            found += part._trainable_variables
            found += part._non_trainable_variables
            own = part.__dict__
            for name in names:
                found.append(own.get(name))
        return found


def _names(part: keras.layers.Layer) -> list[str]:
    """Return the attributes of a layer that a compiled function keeps: its activation, and tensors that it holds."""
    own = part.__dict__
    names = [name for name, value in own.items() if isinstance(value, tf.Tensor)]
    if "activation" in own:
        names.append("activation")
    return names
