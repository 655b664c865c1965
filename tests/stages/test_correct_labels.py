"""Out-of-fold correction of labels, with a classifier that is faked; the end-to-end test has a real one."""

from pathlib import Path

import numpy as np
import pytest

from wsseg.artifacts import read_json
from wsseg.datasets import Dataset, Record
from wsseg.recipe.reading import load_recipe
from wsseg.stages.classify import correct_labels

CLASSES = ("cat", "dog")
RECIPE = load_recipe(overrides=["--supervision.clean_labels=confidence", "--supervision.clean_folds=4"])


@pytest.fixture
def train():
    """Twenty-one images, of which the first half are said to be of cats."""
    records = [Record(f"{i:02}", Path(f"{i}.jpg"), ("cat",) if i < 10 else ("dog",)) for i in range(21)]
    return Dataset("test", "train", CLASSES, records)


@pytest.fixture
def fakes(monkeypatch):
    """A classifier that is sure, and for which image 3 is a dog; it says what it was trained on."""
    trained, judged = [], []

    class Model:
        activation = None

    def train_classifier(recipe, dataset, folder, text):
        trained.append({record.id for record in dataset})
        return Model()

    def score_images(model, dataset, text):
        judged.append({record.id for record in dataset})
        truth = [("dog",) if r.id == "03" else r.labels for r in dataset]
        sure = [6.0 if r.id == "03" else 4.0 for r in dataset]
        logits = [[z if name in labels else -z for name in CLASSES] for z, labels in zip(sure, truth)]
        return list(dataset)[::-1], np.array(logits)[::-1]  # in another order

    monkeypatch.setattr(correct_labels, "train_classifier", train_classifier)
    monkeypatch.setattr(correct_labels, "score_images", score_images)
    return trained, judged


def test_each_image_is_judged_by_a_classifier_that_has_not_seen_it(train, fakes, tmp_path):
    trained, judged = fakes
    labels = correct_labels.correct_labels(RECIPE, train, tmp_path)
    whole = {record.id for record in train}
    assert [len(fold) for fold in judged] == [6, 5, 5, 5] and set().union(*judged) == whole
    assert all(seen == whole - fold for seen, fold in zip(trained, judged))
    assert labels == {r.id: ["dog"] if r.id == "03" else list(r.labels) for r in train}
    assert read_json(tmp_path / "corrected_labels.json") == labels and not (tmp_path / "folds").exists()
    trained.clear()
    assert correct_labels.correct_labels(RECIPE, train, tmp_path) == labels and trained == []


def test_it_goes_on_where_it_stopped(train, fakes, tmp_path, monkeypatch):
    trained, _ = fakes
    judge = correct_labels.score_images

    def stop(*arguments):
        if len(trained) == 3:
            raise KeyboardInterrupt
        return judge(*arguments)

    monkeypatch.setattr(correct_labels, "score_images", stop)
    with pytest.raises(KeyboardInterrupt):
        correct_labels.correct_labels(RECIPE, train, tmp_path)
    trained.clear()
    monkeypatch.setattr(correct_labels, "score_images", judge)
    labels = correct_labels.correct_labels(RECIPE, train, tmp_path)
    assert len(trained) == 2 and labels["03"] == ["dog"]


def test_folds_belong_to_the_seed(train):
    one, same = (correct_labels.folds_of(RECIPE, train) for _ in range(2))
    other = correct_labels.folds_of(load_recipe(overrides=["--seed=1", "--supervision.clean_folds=4"]), train)
    assert one == same != other


def test_probabilities_of_logits_and_of_probabilities():
    class Model:
        activation = None

    scores = np.array([[0.0, 1000.0, -1000.0, np.log(3)]])
    assert correct_labels.probabilities(Model, scores) == pytest.approx(np.array([[0.5, 1, 0, 0.75]]))
    Model.activation = "sigmoid"
    assert np.array_equal(correct_labels.probabilities(Model, scores), scores)
