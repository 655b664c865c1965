"""How many wrong labels does `supervision.clean_labels: confidence` find, and what does a classifier gain by it?

    python benchmarks/label_noise.py RECIPE [--rates 0 0.2 0.4] [--section.option VALUE ...]

The recipe's backbone with its weights, frozen, describes each image by its averages and maxima; a logistic regression
on these plays the classifier, so that minutes suffice where three trained networks would need hours. Labels are made
wrong (`wsseg.datasets.label_noise`), judged by three regressions that have not seen them, and turned. Printed for each
rate: wrong labels before, turned ones and how many rightly, wrong ones after; val mAP of the regression trained on the
labels as they are, as turned, and as they should be.
"""

import argparse

import numpy as np
from scipy.optimize import minimize

from wsseg import backbones
from wsseg.classifiers.confident_learning import corrected
from wsseg.datasets import Dataset
from wsseg.datasets.label_noise import noisy_labels
from wsseg.metrics import mean_average_precision
from wsseg.recipe import Recipe, load_recipe
from wsseg.stages.classify.correct_labels import folds_of
from wsseg.supervision.splits import Splits

DECAY = 0.001


def features(recipe: Recipe, dataset: Dataset) -> np.ndarray:
    """Describe images: `(N, D)`."""
    network = backbones.create(recipe.classify.backbone, weights=recipe.classify.weights)
    rows = []
    for record in dataset:
        cells = network(dataset.read_image(record)[None].astype("float32"))["level_5"].numpy()[0]
        rows.append(np.concatenate([cells.mean((0, 1)), cells.max((0, 1))]))
    return np.array(rows)


def classifier(x: np.ndarray, labels: np.ndarray):
    """Fit a logistic regression a class; return what gives `(N, K)` probabilities."""

    def loss(weights: np.ndarray, y: np.ndarray) -> tuple[float, np.ndarray]:
        z = x @ weights[:-1] + weights[-1]
        wrong = 1 / (1 + np.exp(-z)) - y
        gradient = np.append(x.T @ wrong / len(y) + DECAY * weights[:-1], wrong.mean())
        return np.mean(np.logaddexp(0, z) - y * z) + DECAY / 2 * np.sum(weights[:-1] ** 2), gradient

    start = np.zeros(x.shape[1] + 1)
    how = {"jac": True, "method": "L-BFGS-B", "options": {"maxiter": 150}}
    fitted = np.array([minimize(loss, start, y, **how).x for y in labels.T])
    return lambda new: 1 / (1 + np.exp(-(new @ fitted[:, :-1].T + fitted[:, -1])))


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("recipe")
    parser.add_argument("--rates", type=float, nargs="+", default=[0, 0.2, 0.4])
    arguments, words = parser.parse_known_args()
    recipe = load_recipe(arguments.recipe, words)
    train, val = (Splits(recipe).open(name) for name in (recipe.dataset.train, recipe.dataset.val))
    x, x_val = features(recipe, train), features(recipe, val)
    mean, size = x.mean(0), (x.std(0) + 1e-6) * np.sqrt(x.shape[1])
    x, x_val = (x - mean) / size, (x_val - mean) / size
    true, true_val = (np.stack([split.label_vector(record) for record in split]) for split in (train, val))

    def val_map(labels: np.ndarray) -> float:
        return mean_average_precision(classifier(x, labels)(x_val), true_val)[0]

    print("rate  wrong  turned  rightly  wrong after   mAP: as they are, turned, true")
    for rate in arguments.rates:
        noisy = train.with_labels(noisy_labels(train, rate, recipe.seed))
        given = np.stack([noisy.label_vector(record) for record in noisy])
        likely = np.empty(given.shape)
        for fold in folds_of(recipe, train):
            held = np.array([record.id in fold for record in train])
            likely[held] = classifier(x[~held], given[~held])(x[held])
        result = corrected(given, likely)
        turned = result != given
        print(
            f"{rate:4} {np.sum(given != true):6} {np.sum(turned):7} {np.sum(turned & (given != true)):8}"
            f" {np.sum(result != true):12} {val_map(given):18.3f} {val_map(result):8.3f} {val_map(true):8.3f}",
            flush=True,
        )


if __name__ == "__main__":
    main()
