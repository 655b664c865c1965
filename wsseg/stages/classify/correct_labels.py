"""Correct the training labels that classifiers trained without them contradict, before the classifier is trained."""

import shutil
from pathlib import Path

import keras
import numpy as np

from wsseg.artifacts import read_json, write_json
from wsseg.classifiers.confident_learning import corrected
from wsseg.datasets import Dataset
from wsseg.datasets.image_draws import uniform_draws
from wsseg.file_names import CORRECTED_LABELS
from wsseg.recipe import Recipe
from wsseg.stages.classify.train_classifier import score_images, train_classifier

FOLDS = "folds"


def correct_labels(recipe: Recipe, train: Dataset, out: Path) -> dict[str, list[str]]:
    """Return each image's labels after confident learning; write them as `corrected_labels.json`.

    The images are dealt into folds by the recipe's seed. For each fold a classifier, of the same options as the one
    that comes after, learns from the other folds and says how likely each class is in this one. What is there already
    is kept.
    """
    if (out / CORRECTED_LABELS).exists():
        return read_json(out / CORRECTED_LABELS)
    known: dict[str, list[float]] = {}
    for number, fold in enumerate(folds_of(recipe, train)):
        folder = out / FOLDS / str(number)
        path = folder / "probabilities.json"
        if not path.exists():
            folder.mkdir(parents=True, exist_ok=True)
            others = train.subset(record.id for record in train if record.id not in fold)
            text = f"classifier without fold {number + 1} of {recipe.supervision.clean_folds}"
            model = train_classifier(recipe, others, folder, text)
            records, scores = score_images(model, train.subset(fold), f"judging fold {number + 1}")
            likely = probabilities(model, scores)
            write_json(path, {record.id: row.tolist() for record, row in zip(records, likely)})
        known |= read_json(path)
    given = np.stack([train.label_vector(record) for record in train])
    turned = corrected(given, np.array([known[record.id] for record in train]))
    labels = {
        record.id: [name for name, has in zip(train.classes, row) if has]
        for record, row in zip(train, turned)
    }
    write_json(out / CORRECTED_LABELS, labels)
    shutil.rmtree(out / FOLDS)
    return labels


def folds_of(recipe: Recipe, train: Dataset) -> list[set[str]]:
    """Deal the images into folds of equal size (to one image), by the recipe's seed."""
    ids = [record.id for record in train]
    order = np.argsort(uniform_draws(recipe.seed, "folds", ids)[:, 0], kind="stable")
    count = recipe.supervision.clean_folds
    return [{ids[place] for place in order[start::count]} for start in range(count)]


def probabilities(model: keras.Model, scores: np.ndarray) -> np.ndarray:
    """Return `(N, K)` probabilities of presence, of what a classifier of several labels an image gives."""
    return scores if model.activation == "sigmoid" else 1 / (1 + np.exp(-np.clip(scores, -60, 60)))
