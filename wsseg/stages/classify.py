"""Stage 1: train a classifier from image-level labels."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from wsseg import classifiers
from wsseg.datasets import Dataset
from wsseg.errors import InputError
from wsseg.loading.padded_batches import padded_batches
from wsseg.loading.training_batches import TrainingBatches
from wsseg.metrics import mean_average_precision
from wsseg.progress import bar
from wsseg.recipe import Recipe
from wsseg.saved_models import load_model
from wsseg.stages import Outcome, data
from wsseg.stages.table import number
from wsseg.training import optimizers
from wsseg.training.device import prepare, use_jit
from wsseg.training.model_files import save_model
from wsseg.training.resumable_fit import remove_checkpoints, resumable_fit

MODEL = "classifier.keras"


@dataclass(frozen=True)
class Examples:
    """Training batches in the form that a classifier learns from.

    Attributes:
        batches: Of images, validity and labels.
        example: `wsseg.classifiers.classifier.Classifier.example` of the classifier.
    """

    batches: TrainingBatches
    example: Callable[[Any, Any], tuple[Any, Any]]

    @property
    def steps(self) -> int:
        """Batches an epoch."""
        return self.batches.steps

    def epoch(self, number: int) -> tf.data.Dataset:
        """Return the batches of one epoch, counted from 0."""
        return self.batches.epoch(number).map(self.example)


def run(recipe: Recipe, inputs: Mapping[str, Path], out: Path) -> Outcome:
    """Train the recipe's classifier; write `classifier.keras` and `history.csv`.

    The loss is the mean sigmoid cross-entropy over images and classes (the multi-label soft-margin loss of the seeds'
    codes), or the softmax cross-entropy where the head's activation is softmax; of `acol` the sum of its branches'.
    The validation split's labels give the mean average precision.
    """
    config = recipe.classify
    prepare(recipe)
    train, set_aside = data.checked(recipe, recipe.dataset.train, inputs["data"])
    unlabelled = [record.id for record in train if not record.labels]
    if len(unlabelled) == len(train):
        raise InputError(f"no image of split `{recipe.dataset.train}` has a label; a classifier needs labels")
    keras.utils.set_random_seed(recipe.seed)
    model = classifiers.create(
        config.head,
        backbone=config.backbone,
        num_classes=len(train.classes),
        output_stride=config.output_stride,
        weights=config.weights,
        **config.options,
    )
    if not (out / MODEL).exists():
        batches = TrainingBatches(
            train,
            config.crop,
            config.long_side,
            config.batch_size,
            recipe.seed,
            config.jitter,
            erase=config.erase,
            mirror=config.mirror,
        )
        trained = model.to_train()
        steps = config.epochs * batches.steps
        optimizer = optimizers.create(
            config.optimizer,
            config.learning_rate,
            steps,
            head=model.head_variables,
            head_multiplier=config.head_multiplier,
            weight_decay=config.weight_decay,
        )
        trained.compile(
            optimizer=optimizer,
            loss=model.training_loss(),
            jit_compile=use_jit(recipe),
        )
        with bar("training the classifier", steps, "steps") as advance:
            resumable_fit(trained, Examples(batches, model.example), config.epochs, recipe.seed, out, advance)
        save_model(model, out / MODEL)
    remove_checkpoints(out)
    model = load_model(out / MODEL)
    val, _ = data.checked(recipe, recipe.dataset.val, inputs["data"])
    mean, per_class = validate(model, val)
    counts = {
        "images": len(train),
        "classes": list(train.classes),
        "val_images": len(val),
        "val_map": mean,
        "val_average_precision": dict(zip(train.classes, per_class)),
    }
    line = f"{len(train)} images, {len(train.classes)} classes, val mAP {number(mean)}"
    return Outcome(line, counts, set_aside)


def validate(
    model: keras.Model, dataset: Dataset, batch_size: int = 8
) -> tuple[float | None, list[float | None]]:
    """Score a classifier on whole images, padding masked out.

    Returns:
        Mean average precision over the classes that occur, and the precision of each; None where no image has
        the class.
    """
    network = model.with_validity()
    scores, truth = [], []
    with bar("validating the classifier", len(dataset)) as advance:
        for batch in padded_batches(dataset, dataset, batch_size):
            valid = np.zeros(batch.images.shape[:3], np.float32)
            for place, (height, width) in enumerate(batch.sizes_hw):
                valid[place, :height, :width] = 1
            logits = network.predict_on_batch([batch.images, valid])
            scores.append(logits[: len(batch.records)])
            truth += [dataset.label_vector(record) for record in batch.records]
            advance(count=len(batch.records))
    mean, per_class = mean_average_precision(np.concatenate(scores), np.stack(truth))

    def plain(value: float) -> float | None:
        return None if np.isnan(value) else float(value)

    return plain(mean), [plain(value) for value in per_class]
