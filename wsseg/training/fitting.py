"""The training of every stage's network: the section's optimizer, a checkpoint per epoch, batch norm's statistics."""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import keras

from wsseg.errors import InputError
from wsseg.progress import bar, note
from wsseg.recipe import Recipe, TrainingConfig, ValidatedTrainingConfig
from wsseg.recipe.decisions import keeps_best
from wsseg.training import optimizers
from wsseg.training.batch_statistics import estimate_statistics
from wsseg.training.best_epoch import Choice
from wsseg.training.callbacks import create_callbacks
from wsseg.training.checkpoints import Checkpoints
from wsseg.training.mean_teacher import MeanTeacher
from wsseg.training.resumable_fit import no_values, resumable_fit
from wsseg.training.tensorboard_events import TensorBoardEvents
from wsseg.training.validation import Validation
from wsseg.training.validation_curve import ValidationCurve


def fit(
    recipe: Recipe,
    config: TrainingConfig,
    model: keras.Model,
    batches: Any,
    head: Iterable[keras.Variable],
    out: Path,
    text: str,
    loss: Any = None,
    validation: Validation | None = None,
) -> None:
    """Train a network with the options of a section of the recipe; resume from `out`.

    A run that is stopped after the last epoch repeats what follows it, with the same result. With `keep: best` the
    model has the weights of the best epoch at the end.

    Args:
        recipe: The recipe: `seed` and `jit` are used.
        config: Section of the recipe: epochs, optimizer and its rates, `statistics_batches`.
        model: The network with its initial weights; a `MeanTeacher` is finished here too.
        batches: Training data with `steps` and `epoch(number)`, as in `TrainingBatches`.
        head: Variables that are trained with `head_multiplier` times the learning rate.
        out: Folder for checkpoints, `history.csv` and `tensorboard/`.
        text: Text of the progress bar.
        loss: Loss for `compile`; None for a model with its own loss.
        validation: What is measured on validation images after epochs, see `ValidationCurve`; None for nothing.

    Raises:
        InputError: `keep: best` or `patience`, and nothing can be measured; or see `resumable_fit`.
    """
    steps = config.epochs * batches.steps
    optimizer = optimizers.create(
        config.optimizer,
        config.learning_rate,
        steps,
        head=head,
        head_multiplier=config.head_multiplier,
        weight_decay=config.weight_decay,
    )
    model.compile(optimizer=optimizer, loss=loss, jit_compile=recipe.jit)
    callbacks = create_callbacks(config.callbacks, f"{text}: callbacks")
    if config.tensorboard:
        callbacks.append(TensorBoardEvents(out))
    curve = validation and ValidationCurve(model, batches, config, recipe.seed, validation)
    checkpoints = Checkpoints(out)
    if found := checkpoints.mend():
        note(found)
    done = len(checkpoints.state().get("history", []))
    with bar(text, steps, "steps", done * batches.steps) as advance:
        resumable_fit(
            model,
            batches,
            config.epochs,
            recipe.seed,
            out,
            advance,
            curve.after if curve else no_values,
            _choice(config, validation, text),
            callbacks,
            validation.columns if validation else (),
        )
    if isinstance(model, MeanTeacher):
        model.finish()
    if config.statistics_batches:
        estimate_statistics(model, batches, config.epochs, recipe.seed, config.statistics_batches, text)


def _choice(config: TrainingConfig, validation: Validation | None, text: str) -> Choice | None:
    """Return how the kept epoch is chosen; None for the last epoch."""
    if not isinstance(config, ValidatedTrainingConfig) or not keeps_best(config):
        return None
    if validation is None:
        raise InputError(
            f"{text}: `keep: best` and `patience` need validation images with labels, and there are none; use "
            "`keep: last` and `patience: 0`"
        )
    return Choice(validation.score, config.patience)
