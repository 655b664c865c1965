"""Correct training labels that are contradicted by classifiers trained on other images."""

import shutil
from pathlib import Path

import keras
import numpy as np

from wsseg.artifacts import write_json
from wsseg.classifiers.confident_learning import corrected
from wsseg.datasets import Dataset
from wsseg.datasets.image_draws import uniform_draws
from wsseg.file_names import CORRECTED_LABELS
from wsseg.recipe import Recipe
from wsseg.remembered import remembered
from wsseg.stages.classify.train_classifier import score_images, train_classifier

FOLDS = "folds"


def correct_labels(recipe: Recipe, train: Dataset, out: Path) -> dict[str, list[str]]:
    """Return each image's labels after confident learning; write them as `corrected_labels.json`.

    The images are divided into folds by the recipe's seed. For each fold, a classifier with the options of the final
    one learns from the other folds and predicts the probability of each class for the images of this fold. Existing
    files are kept.
    """
    ids = {record.id for record in train}
    done = remembered(out / CORRECTED_LABELS, dict, lambda labels: labels.keys() == ids)
    if done is not None:
        return done
    known: dict[str, list[float]] = {}
    for number, fold in enumerate(folds_of(recipe, train)):
        folder = out / FOLDS / str(number)
        path = folder / "probabilities.json"
        shape = len(fold), len(train.classes)
        found = remembered(path, dict, lambda rows, shape=shape: np.shape([*rows.values()]) == shape)
        if found is None:
            folder.mkdir(parents=True, exist_ok=True)
            others = train.subset(record.id for record in train if record.id not in fold)
            text = f"classifier without fold {number + 1} of {recipe.supervision.clean_folds}"
            model = train_classifier(recipe, others, folder, text)
            records, scores = score_images(model, train.subset(fold), f"scoring fold {number + 1}")
            likely = probabilities(model, scores)
            found = {record.id: row.tolist() for record, row in zip(records, likely)}
            write_json(path, found)
        known |= found
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
    """Divide the images into folds of equal size (to one image), by the recipe's seed."""
    ids = [record.id for record in train]
    order = np.argsort(uniform_draws(recipe.seed, "folds", ids)[:, 0], kind="stable")
    count = recipe.supervision.clean_folds
    return [{ids[index] for index in order[start::count]} for start in range(count)]


def probabilities(model: keras.Model, scores: np.ndarray) -> np.ndarray:
    """Return the probabilities of presence, `(N, K)`, from the scores of a classifier for several labels per image."""
    return scores if model.activation == "sigmoid" else 1 / (1 + np.exp(-np.clip(scores, -60, 60)))
