"""Stage 1: train a classifier from image-level labels."""

from collections.abc import Mapping
from pathlib import Path

import keras
import numpy as np

from wsseg.datasets import Dataset
from wsseg.errors import InputError
from wsseg.metrics import mean_average_precision
from wsseg.recipe import Recipe
from wsseg.stages import Outcome
from wsseg.stages.classify.correct_labels import correct_labels
from wsseg.stages.classify.train_classifier import score_images, train_classifier
from wsseg.stages.evaluate.score_table import format_score
from wsseg.stages.warning_signs import classes_without_images, near_chance
from wsseg.supervision.splits import Splits
from wsseg.supervision.training_images import training_data
from wsseg.training.best_epoch import describe_course
from wsseg.training.device import prepare


def run(recipe: Recipe, splits: Splits, inputs: Mapping[str, Path], out: Path) -> Outcome:
    """Train the recipe's classifier; write `classifier.keras` and `history.csv`.

    The loss is the mean sigmoid cross-entropy over images and classes (the multi-label soft-margin loss of the
    published codes), or the softmax cross-entropy if the head's activation is softmax. For `acol` it is the sum over
    the branches. For `seam` it is the mean over both views, plus SEAM's own losses. `classify.loss: generalised`
    replaces it by a noise-robust loss. With `supervision.clean_labels`, the labels are corrected first. The mean
    average precision is measured on the validation split.
    """
    prepare(recipe)
    train, set_aside = training_data(splits, inputs)
    if not any(record.labels for record in train):
        raise InputError(f"no image of split `{recipe.dataset.train}` has a label; a classifier needs labels")
    turned = None
    if recipe.supervision.clean_labels != "none":
        noisy = train
        train = noisy.with_labels(correct_labels(recipe, noisy, out))
        turned = sum(
            np.abs(train.label_vector(a) - noisy.label_vector(b)).sum() for a, b in zip(train, noisy)
        )
    val, _ = splits.checked(recipe.dataset.val)
    model = train_classifier(recipe, train, out, "training the classifier", val)
    mean, per_class = validate(model, val)
    counts = {
        "images": len(train),
        "classes": list(train.classes),
        "val_images": len(val),
        "val_map": mean,
        "val_average_precision": dict(zip(train.classes, per_class)),
    }
    words, course = describe_course(out, recipe.classify, val.split)
    counts |= course
    line = f"{len(train)} images, {len(train.classes)} classes, val mAP {format_score(mean)}"
    if turned is not None:
        counts["corrected_labels"] = int(turned)
        line += f", {int(turned)} labels corrected"
    line += words
    labels = np.stack([val.label_vector(record) for record in val])
    return Outcome(line, counts, set_aside, near_chance(mean, labels) + classes_without_images(train))


def validate(
    model: keras.Model, dataset: Dataset, batch_size: int = 8
) -> tuple[float | None, list[float | None]]:
    """Score a classifier on whole images, without the padding.

    Returns:
        Mean average precision over the classes that occur, and the average precision of each class; None if no image
        has the class.
    """
    records, scores = score_images(model, dataset, "validating the classifier", batch_size)
    truth = [dataset.label_vector(record) for record in records]
    mean, per_class = mean_average_precision(scores, np.stack(truth))

    def plain(value: float) -> float | None:
        return None if np.isnan(value) else float(value)

    return plain(mean), [plain(value) for value in per_class]
