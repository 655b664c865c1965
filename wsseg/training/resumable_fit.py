"""`fit` one epoch at a time, and save after each epoch everything that the next one depends on."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import keras
import numpy as np

from wsseg.errors import InputError
from wsseg.file_names import HISTORY
from wsseg.loading.pipeline import readers_errors
from wsseg.loading.training_batches import TrainingBatches, epoch_seed
from wsseg.training.best_epoch import Choice
from wsseg.training.callbacks import WholeTraining
from wsseg.training.checkpoints import Checkpoints
from wsseg.training.history import write_history


class _StepProgress(keras.callbacks.Callback):
    """Pass each step's loss to a progress display, and stop on a loss that is not finite."""

    def __init__(self, advance: Callable[[str], None]):
        super().__init__()
        self.advance = advance

    def on_train_batch_end(self, batch: int, logs: dict[str, Any] | None = None) -> None:
        loss = (logs or {}).get("loss", 0.0)
        if not np.isfinite(loss):
            raise InputError(
                f"the training loss became {loss} at step {batch + 1}; lower `learning_rate` (try a tenth of "
                "it); the checkpoint of the last complete epoch is kept"
            )
        self.advance(f"loss {loss:.3f}")


def no_values(epoch: int) -> dict[str, float]:
    """Return no values: nothing is measured after an epoch."""
    return {}


def resumable_fit(
    model: keras.Model,
    batches: TrainingBatches,
    epochs: int,
    seed: int,
    folder: Path,
    advance: Callable[[str], None] = lambda text: None,
    measure: Callable[[int], dict[str, float]] = no_values,
    choice: Choice | None = None,
    callbacks: Sequence[keras.callbacks.Callback] = (),
    columns: Sequence[str] = (),
) -> list[dict[str, float]]:
    """Train a compiled model, resuming from `folder` if an earlier call was stopped.

    After each epoch the weights, the optimizer's state and the history are saved, so a stop at any moment loses at most
    the current epoch. Order, augmentation and dropout depend only on `(seed, epoch)`, so a resumed training equals an
    uninterrupted one on the same machine.

    Args:
        model: Compiled model with its initial weights.
        batches: Training data.
        epochs: Total number of epochs.
        seed: Random seed of the training; with the epoch it gives the seed of dropout.
        folder: Folder of the checkpoint and the history.
        advance: Function that is called with a short text after each step of this process; that is, not for epochs done
            before.
        measure: Function that is called with each epoch's index after it, and returns further values for its row. It
            must leave the variables of the model as they are.
        choice: How the epoch is chosen whose weights the model has at the end; None for the last. The weights of the
            best epoch so far are saved beside the checkpoint.
        callbacks: Keras callbacks that see the whole training, see `WholeTraining`. An epoch that is repeated after a
            stop is shown to them again.
        columns: Names of the values that `measure` returns.

    Returns:
        One dictionary per epoch: its means, the learning rate after its last step, and further values. They are also
        written to `folder/history.csv`.

    Raises:
        InputError: The loss is not finite, an image cannot be read any more, or the disk has too little free space for
            a checkpoint.
    """
    model.optimizer.build(model.trainable_variables)
    checkpoints = Checkpoints(folder)
    state = checkpoints.state()
    history: list[dict[str, float]] = state.get("history", [])
    if state:
        checkpoints.load(model, state["checkpoint"])
    whole = WholeTraining(callbacks, model, epochs, batches.steps, columns)

    def ended() -> bool:
        return len(history) >= epochs or "ended" in state or (choice is not None and choice.stops(history))

    if not ended():
        whole.begin()
    while not ended():
        epoch = len(history)
        epoch_seed(seed, epoch)
        seed_layers(model, seed, epoch)
        with readers_errors():
            fitted = model.fit(
                batches.epoch(epoch),
                initial_epoch=epoch,
                epochs=epoch + 1,
                steps_per_epoch=batches.steps,
                shuffle=False,  # the batches are shuffled already
                verbose=0,
                callbacks=[_StepProgress(advance), *whole.inside],
            )
        values = {key: float(values[-1]) for key, values in fitted.history.items()}
        values["learning_rate"] = float(model.optimizer.learning_rate)
        values |= measure(epoch)
        history.append({"epoch": epoch + 1} | values)
        before, state = state, state | {"history": [*history]}
        if choice and choice.best(history) == epoch + 1:
            checkpoints.save_best(model, state, epoch + 1)
        if whole.after(epoch, values):
            state["ended"] = "by a callback"
        if ended():
            whole.end(values)  # before the weights are saved, which a callback may change here
        checkpoints.save(model, state, before)
    if "best" in state and choice.best(history) != len(history):
        checkpoints.load(model, state["best"])
    write_history(folder / HISTORY, history)
    return history


def seed_layers(model: keras.Model, seed: int, epoch: int) -> None:
    """Set the random state of the model's own layers (dropout), which weights files do not contain."""
    random = np.random.default_rng([seed, epoch, 3])
    for variable in model.non_trainable_variables:
        if variable.name == "seed_generator_state":
            variable.assign(random.integers(0, 2**31, variable.shape))
