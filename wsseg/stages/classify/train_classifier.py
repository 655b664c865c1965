"""Train a classifier, and score images with it."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from wsseg import classifiers
from wsseg.classifiers.inference import classified
from wsseg.datasets import Dataset, Record
from wsseg.file_names import CLASSIFIER
from wsseg.loading.rare_classes import with_rare_repeated
from wsseg.loading.training_batches import TrainingBatches
from wsseg.losses.generalised_label_loss import GeneralisedLabelLoss
from wsseg.one_trace import one_trace
from wsseg.progress import bar
from wsseg.recipe import Recipe
from wsseg.saved_models import load_model
from wsseg.training.checkpoints import Checkpoints
from wsseg.training.fitting import fit
from wsseg.training.model_files import save_model
from wsseg.training.validation import validate_classifier


@dataclass(frozen=True)
class Examples:
    """Training batches in the form that a classifier trains on.

    Attributes:
        batches: Batches of images, validity and labels.
        example: Method `example` of the classifier, see `wsseg.classifiers.classifier.Classifier`.
    """

    batches: TrainingBatches
    example: Callable[[Any, Any], tuple[Any, Any]]

    @property
    def batch_size(self) -> int:
        """Number of images per batch."""
        return self.batches.batch_size

    @property
    def steps(self) -> int:
        """Number of batches per epoch."""
        return self.batches.steps

    def epoch(self, number: int) -> tf.data.Dataset:
        """Return the batches of one epoch; `number` is its index, from 0."""
        return self.batches.epoch(number).map(self.example)


def train_classifier(
    recipe: Recipe, train: Dataset, out: Path, text: str, val: Dataset | None = None
) -> keras.Model:
    """Train the recipe's classifier unless `out` holds it already; write `classifier.keras` and `history.csv`.

    Args:
        recipe: Recipe, whose section `classify` has the options.
        train: Training images with their labels.
        out: Folder where the files are written.
        text: Text of the progress bar.
        val: Validation images of the curve in `history.csv`; None for no curve, and then the last epoch is kept.
    """
    config = recipe.classify if val is not None else replace(recipe.classify, keep="last", patience=0)
    keras.utils.set_random_seed(recipe.seed)
    model = classifiers.create(
        config.head,
        backbone=config.backbone,
        num_classes=len(train.classes),
        output_stride=config.output_stride,
        weights=config.weights,
        class_names=train.classes,
        **config.options,
    )
    if not (out / CLASSIFIER).exists():
        shown = with_rare_repeated(train, config.repeat_rare, recipe.seed)
        batches = TrainingBatches(train, config, recipe.seed, erase=config.erase, shown=shown)
        trained = model.to_train()
        examples = Examples(batches, model.example)
        loss = loss_of(recipe, model)
        validation = None if val is None else validate_classifier(model, val, config)
        fit(recipe, config, trained, examples, model.head_variables, out, text, loss, validation)
        save_model(model, out / CLASSIFIER)
    Checkpoints(out).remove()
    return load_model(out / CLASSIFIER)


def loss_of(recipe: Recipe, model: keras.Model) -> keras.losses.Loss:
    """Return the recipe's loss, in its form for one label per image or for several, as the model needs."""
    if recipe.classify.loss == "cross_entropy":
        return model.training_loss()
    return GeneralisedLabelLoss(single_label=model.single_label, **recipe.classify.loss_options)


def score_images(
    model: keras.Model, dataset: Dataset, text: str, batch_size: int = 8
) -> tuple[list[Record], np.ndarray]:
    """Score whole images with a classifier, without the padding.

    Returns:
        The records in the order of the scores, and the model's outputs `(N, K)`: logits unless it has an activation.
    """
    network = one_trace(model.with_validity())
    records, scores = [], []
    with bar(text, len(dataset)) as advance:
        for seen, found in classified(network, dataset, dataset, batch_size):
            scores.append(found)
            records += seen
            advance(count=len(seen))
    return records, np.concatenate(scores)
