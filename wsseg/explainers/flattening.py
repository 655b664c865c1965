"""Flatten nested models: one functional model of the same layers, none of which is a model."""

from collections import Counter
from collections.abc import Callable
from functools import partial
from typing import Any

import keras

from wsseg.errors import InputError


def flatten(model: keras.Model) -> keras.Model:
    """Return a functional model of the same layers and weights in which no model is nested in another.

    Args:
        model: A functional or sequential model, commonly with a `keras.applications` model inside.

    Returns:
        A functional model that shares every weight with `model`. A nested layer whose name occurs twice
        is renamed to `<its model>.<layer>`.

    Raises:
        InputError: `model` is subclassed, or was never built.
    """
    if isinstance(model, keras.Sequential):
        if not model.built or not model.inputs:
            raise InputError(
                f"model `{model.name}` has no input shape yet; call it on a batch of images first"
            )
    elif not hasattr(model, "_run_through_graph"):
        raise InputError(
            f"model `{model.name}` is a subclassed {type(model).__name__}, so the order of its layers is unknown; "
            "rebuild it as a functional model"
        )
    inputs = [keras.Input(batch_shape=x.shape, dtype=x.dtype) for x in model.inputs]
    outputs = _Inliner(model).run(model, inputs[0] if isinstance(model, keras.Sequential) else inputs)
    return keras.Model(inputs, outputs, name=f"{model.name}_flat")


class _Renamed(keras.layers.Layer):
    """A layer under another name: names are unique in a flat model, but nested models may repeat them."""

    def __init__(self, wrapped: Callable, name: str):
        super().__init__(name=name, autocast=False)
        self.wrapped = wrapped

    def call(self, *args, **kwargs):
        return self.wrapped(*args, **kwargs)


class _Inliner:
    """Calls a model's operations one by one on symbolic tensors, and those of nested models instead of the models."""

    def __init__(self, model: keras.Model):
        self.paths: dict[int, tuple[str, ...]] = {}
        self.wrappers: dict[int, _Renamed] = {}
        self._collect(model, ())
        self.counts = Counter(path[-1] for path in self.paths.values())

    def _collect(self, operation: Any, path: tuple[str, ...]) -> None:
        for part in getattr(operation, "operations", None) or operation.layers:
            if is_graph(part):
                self._collect(part, (*path, part.name))
            elif not isinstance(part, keras.layers.InputLayer):
                self.paths.setdefault(id(part), (*path, part.name))

    def run(self, operation: Callable, *args: Any, **kwargs: Any) -> Any:
        if isinstance(operation, keras.Sequential):
            (tensor,) = args
            for layer in operation.layers:
                tensor = self.run(layer, tensor)
            return tensor
        if is_graph(operation):
            (inputs,) = args
            # Casts as the model itself does, but without its warning about a list of one tensor.
            inputs = [
                given if given.dtype == expected.dtype else keras.ops.cast(given, expected.dtype)
                for given, expected in zip(keras.tree.flatten(inputs), operation.inputs)
            ]
            return operation._run_through_graph(inputs, operation_fn=lambda part: partial(self.run, part))
        path = self.paths[id(operation)]
        if len(path) > 1 and self.counts[path[-1]] > 1:
            operation = self.wrappers.setdefault(id(operation), _Renamed(operation, ".".join(path)))
        return operation(*args, **kwargs)


def is_graph(operation: Any) -> bool:
    """Return whether an operation is a model whose layers are known."""
    functional = isinstance(operation, keras.Model) and hasattr(operation, "_run_through_graph")
    return functional or isinstance(operation, keras.Sequential)
