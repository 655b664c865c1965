"""How every stage trains its network: optimizer, progress bar, a checkpoint an epoch, batch norm's statistics."""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import keras

from wsseg.progress import bar
from wsseg.recipe import Recipe, TrainingConfig
from wsseg.training import optimizers
from wsseg.training.batch_statistics import estimate_statistics
from wsseg.training.mean_teacher import MeanTeacher
from wsseg.training.resumable_fit import resumable_fit


def fit(
    recipe: Recipe,
    config: TrainingConfig,
    model: keras.Model,
    batches: Any,
    head: Iterable[keras.Variable],
    out: Path,
    text: str,
    loss: Any = None,
) -> None:
    """Train a network as a section of the recipe says, resuming from `out`.

    What follows the last epoch is repeated where the training is resumed after it, and comes out the same.

    Args:
        recipe: The recipe: its seed, and whether to compile.
        config: The section: epochs, optimizer and its rates, `statistics_batches`.
        model: With its initial weights. A `MeanTeacher` is finished.
        batches: What to train on: `steps`, and `epoch(number)` as of `TrainingBatches`.
        head: Variables that learn at `head_multiplier` times the rate.
        out: For checkpoints and `history.csv`.
        text: For the progress display.
        loss: For `compile`; None for a model that has its own.
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
    with bar(text, steps, "steps") as advance:
        resumable_fit(model, batches, config.epochs, recipe.seed, out, advance)
    if isinstance(model, MeanTeacher):
        model.finish()
    if config.statistics_batches:
        estimate_statistics(model, batches, config.epochs, recipe.seed, config.statistics_batches, text)
