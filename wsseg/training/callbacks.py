"""Keras callbacks that a recipe names, driven over a whole training although `fit` is called epoch by epoch."""

import importlib
import inspect
import math
from collections.abc import Mapping, Sequence
from typing import Any

import keras

from wsseg.errors import InputError, nearest

_RATE = "the learning rate is a schedule of the whole training, which a callback cannot set"
REFUSED = {
    "BackupAndRestore": "a stopped training resumes by itself",
    "LearningRateScheduler": _RATE,
    "ReduceLROnPlateau": _RATE,
}
"""Callbacks of Keras that cannot work here, and why."""


def create_callbacks(named: Mapping[str, Mapping[str, Any]], option: str) -> list[keras.callbacks.Callback]:
    """Make the callbacks that a recipe names.

    Args:
        named: Dotted name of the class -> its options.
        option: Dotted name of the recipe's option, for messages.

    Raises:
        InputError: A name is no importable class of callbacks, or its options do not fit.

    Example:
        >>> create_callbacks({"keras.callbacks.CSVLoger": {}}, "segment.callbacks")
        Traceback (most recent call last):
        wsseg.errors.InputError: `segment.callbacks`: `keras.callbacks` has no `CSVLoger`; did you mean `CSVLogger`?
    """
    made = []
    for name, options in named.items():
        kind = _imported(name, option)
        try:
            made.append(kind(**options))
        except Exception as error:  # whatever someone else's class raises
            raise InputError(
                f"`{option}`: `{name}` cannot be made with options {dict(options)}: {_in_one_line(error)}"
            ) from error
    return made


def _imported(name: str, option: str) -> type[keras.callbacks.Callback]:
    module_name, _, class_name = name.rpartition(".")
    if not module_name:
        raise InputError(
            f"`{option}`: `{name}` must be a dotted name, such as keras.callbacks.CSVLogger or my_module.MyCallback"
        )
    try:
        module = importlib.import_module(module_name)
    except Exception as error:  # whatever someone else's module raises
        raise InputError(
            f"`{option}`: module `{module_name}` cannot be imported ({_in_one_line(error)}); install it, or name its "
            "folder in PYTHONPATH"
        ) from error
    kind = getattr(module, class_name, None)
    if kind is None:
        there = [one for one, value in vars(module).items() if _is_callback(value)]
        hint = nearest(class_name, there) if there else "it has no class of callbacks"
        raise InputError(f"`{option}`: `{module_name}` has no `{class_name}`; {hint}")
    if not _is_callback(kind):
        raise InputError(f"`{option}`: `{name}` is not a subclass of keras.callbacks.Callback; choose one")
    if issubclass(kind, tuple(getattr(keras.callbacks, one) for one in REFUSED)):
        why = next(text for one, text in REFUSED.items() if issubclass(kind, getattr(keras.callbacks, one)))
        raise InputError(f"`{option}`: `{name}` cannot be used: {why}; remove it")
    return kind


def _is_callback(value: Any) -> bool:
    return inspect.isclass(value) and issubclass(value, keras.callbacks.Callback)


def _in_one_line(error: Exception) -> str:
    return " ".join(f"{type(error).__name__}: {error}".split())


class WholeTraining:
    """Calls callbacks as one call of `fit` over all epochs would do.

    `on_train_begin` and `on_train_end` are called once per process, with the real numbers of the epochs in between.
    `on_epoch_end` gets the means of the epoch, the learning rate and the validation values; a value that an epoch lacks
    is nan.

    Args:
        callbacks: The callbacks; there may be none.
        model: The model that is trained.
        epochs: Number of epochs of the whole training.
        steps: Number of steps per epoch.
        columns: Names of the validation values.

    Attributes:
        inside: Callbacks for each call of `fit`, which pass on what happens inside an epoch.
    """

    def __init__(
        self,
        callbacks: Sequence[keras.callbacks.Callback],
        model: keras.Model,
        epochs: int,
        steps: int,
        columns: Sequence[str] = (),
    ):
        self.model, self.columns = model, columns
        self.callbacks = None
        if callbacks:
            self.callbacks = keras.callbacks.CallbackList(
                list(callbacks), model=model, epochs=epochs, steps=steps, verbose=0
            )
        self.inside = [_Inside(self.callbacks)] if callbacks else []

    def begin(self) -> None:
        """Say that the training begins or goes on."""
        if self.callbacks:
            self.callbacks.on_train_begin()

    def after(self, epoch: int, values: Mapping[str, float]) -> bool:
        """Say that an epoch is over, and return whether a callback has asked to stop.

        Args:
            epoch: Index of the epoch, from 0.
            values: Means and validation values of the epoch.
        """
        if not self.callbacks:
            return False
        self.callbacks.on_epoch_end(epoch, dict.fromkeys(self.columns, math.nan) | dict(values))
        return bool(self.model.stop_training)

    def end(self, values: Mapping[str, float]) -> None:
        """Say that the training is over; `values` are those of the last epoch."""
        if self.callbacks:
            self.callbacks.on_train_end(dict(values))


class _Inside(keras.callbacks.Callback):
    """Pass on the beginning of an epoch and its steps, but not the beginning and end of one call of `fit`."""

    def __init__(self, callbacks: keras.callbacks.CallbackList):
        super().__init__()
        self.callbacks = callbacks

    def on_epoch_begin(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        self.callbacks.on_epoch_begin(epoch, logs)

    def on_train_batch_begin(self, batch: int, logs: dict[str, Any] | None = None) -> None:
        self.callbacks.on_train_batch_begin(batch, logs)

    def on_train_batch_end(self, batch: int, logs: dict[str, Any] | None = None) -> None:
        self.callbacks.on_train_batch_end(batch, logs)
