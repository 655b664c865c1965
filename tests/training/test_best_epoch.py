"""The best epoch: which it is, that its weights are kept, over any stop, and what is said about it."""

import re
import types

import keras
import numpy as np
import pytest
import tensorflow as tf
from small_run import network
from small_run.recipe import write_recipe

from wsseg.engine.definitions import Definitions
from wsseg.engine.preflight.parts import check_kept_epochs
from wsseg.errors import InputError
from wsseg.recipe import ClassifyConfig, SegmentConfig, ValidatedTrainingConfig
from wsseg.recipe.reading import load_recipe
from wsseg.stages.classify import stage as classify
from wsseg.stages.evaluate.stage import conventions
from wsseg.supervision.splits import Splits
from wsseg.training import checkpoints
from wsseg.training.best_epoch import Choice, describe_course
from wsseg.training.checkpoints import Checkpoints
from wsseg.training.fitting import fit
from wsseg.training.history import read_history, write_history
from wsseg.training.resumable_fit import resumable_fit
from wsseg.training.validation import Validation

VALUES = (0.5, 0.7, 0.6, 0.7, 0.4)
"""Scripted values after each epoch: the second is the first of the best."""


class Batches:
    steps, batch_size = 2, 4

    def epoch(self, number):
        random = np.random.default_rng([5, number])
        images = random.normal(3, 2, (2, 4, 8)).astype(np.float32)
        return tf.data.Dataset.from_tensor_slices((images, (images.mean(2) > 3)[..., None]))


def build(compiled=True):
    """Return a small network with all that has a state: batch norm, dropout, momentum."""
    keras.utils.set_random_seed(0)
    image = keras.Input((8,))
    tensor = keras.layers.BatchNormalization()(keras.layers.Dense(4)(image))
    model = keras.Model(image, keras.layers.Dense(1)(keras.layers.Dropout(0.5)(tensor)))
    if compiled:
        loss = keras.losses.BinaryCrossentropy(from_logits=True)
        model.compile(keras.optimizers.SGD(0.1, momentum=0.9), loss, jit_compile=False)
    return model


class Killed(Exception):  # noqa: N818
    """The process is killed."""


def scripted(model, kill_in=None, seen=None):
    """Return a measure with the scripted values, which notes the weights and may kill the training."""

    def measure(epoch):
        if epoch == kill_in:
            raise Killed
        if seen is not None:
            seen.append([value.copy() for value in model.get_weights()])
        return {"val_map": VALUES[epoch]}

    return measure


def same(one, other):
    return all(a.tobytes() == b.tobytes() for a, b in zip(one, other, strict=True))


def run(folder, patience=0, kill_in=None, choice=True):
    model, seen = build(), []
    folder.mkdir(exist_ok=True)
    measure, chosen = scripted(model, kill_in, seen), Choice("val_map", patience) if choice else None
    history = resumable_fit(model, Batches(), 5, 0, folder, measure=measure, choice=chosen)
    return model, history, seen


def test_the_weights_of_the_best_epoch_are_kept_and_the_last_otherwise(tmp_path):
    best, history, seen = run(tmp_path / "best")
    last, again, _ = run(tmp_path / "last", choice=False)
    assert history == again and [row["val_map"] for row in history] == list(VALUES)
    assert same(best.get_weights(), seen[1]) and same(last.get_weights(), seen[4])
    assert not same(seen[1], seen[3])
    Checkpoints(tmp_path / "best").remove()
    assert [path.name for path in (tmp_path / "best").iterdir()] == ["history.csv"]


@pytest.mark.parametrize("kill_in", [pytest.param(1, marks=pytest.mark.slow), 2, 4])
def test_resumed_it_keeps_the_same(tmp_path, kill_in):
    whole, history, _ = run(tmp_path / "whole")
    with pytest.raises(Killed):
        run(tmp_path / "killed", kill_in=kill_in)
    resumed, again, _ = run(tmp_path / "killed")
    assert again == history and same(whole.get_weights(), resumed.get_weights())
    finished, _, seen = run(tmp_path / "killed")  # all epochs are done: nothing is trained
    assert same(whole.get_weights(), finished.get_weights()) and seen == []
    names = sorted(path.name for path in (tmp_path / "killed").glob("best*"))
    assert names == ["best_2_checkpoint.weights.h5"]


def test_killed_between_the_best_weights_and_the_state_that_names_them(tmp_path, monkeypatch):
    whole, _, _ = run(tmp_path / "whole")
    write = checkpoints.write_json

    def kill(path, state):
        if len(state["history"]) == 2:
            raise Killed
        write(path, state)

    with monkeypatch.context() as patch:
        patch.setattr(checkpoints, "write_json", kill)
        with pytest.raises(Killed):
            run(tmp_path / "killed")
    assert len(list((tmp_path / "killed").glob("best*"))) == 2
    assert same(whole.get_weights(), run(tmp_path / "killed")[0].get_weights())


def test_patience_ends_the_training_for_good(tmp_path):
    model, history, seen = run(tmp_path, patience=1)
    assert [row["epoch"] for row in history] == [1, 2, 3] and same(model.get_weights(), seen[1])
    again, unchanged, trained = run(tmp_path, patience=1)
    assert unchanged == history and trained == [] and same(again.get_weights(), model.get_weights())
    assert len(run(tmp_path / "longer", patience=3)[1]) == 5


def test_patience_goes_on_counting_after_a_stop(tmp_path):
    whole = run(tmp_path / "whole", patience=2)
    assert len(whole[1]) == 4
    with pytest.raises(Killed):
        run(tmp_path / "killed", patience=2, kill_in=3)  # one epoch without a better value has passed
    resumed = run(tmp_path / "killed", patience=2)
    assert resumed[1] == whole[1] and same(resumed[0].get_weights(), whole[0].get_weights())


def test_epochs_without_a_value_count_but_do_not_end_it():
    choice, rows = Choice("x", 2), [{"x": 0.5}, {}, {}, {"x": 0.6}, {}, {"x": 0.6}]
    assert [choice.stops(rows[:count]) for count in range(7)] == [False] * 6 + [True]
    assert choice.best([{}, {}]) is None and not choice.stops([{}, {}])


def test_through_fit_which_measures_the_statistics_of_the_kept_weights(tmp_path):
    weights = []
    for keep, name in (("best", "one"), ("last", "other")):
        model, values = build(compiled=False), iter((0.9, 0.1))
        config = ValidatedTrainingConfig(crop=32, epochs=2, keep=keep, statistics_batches=50)
        validation = Validation(("val_map",), lambda values=values: {"val_map": next(values)}, 0)
        (tmp_path / name).mkdir()
        recipe = types.SimpleNamespace(seed=3, jit=False)
        loss = keras.losses.BinaryCrossentropy(from_logits=True)
        ValidatedBatches.shown = []
        fit(recipe, config, model, ValidatedBatches(), [], tmp_path / name, "training", loss, validation)
        weights.append(model.get_weights())
    assert ValidatedBatches.shown[-1] == 2  # the epoch after the last, for the statistics
    assert not np.array_equal(weights[0][0], weights[1][0])
    with pytest.raises(InputError, match="training: `keep: best` and `patience` need validation images"):
        config = ValidatedTrainingConfig(crop=32, patience=1)
        fit(recipe, config, build(False), ValidatedBatches(), [], tmp_path, "training", loss)


class ValidatedBatches(Batches):
    shown = []
    steps = 40  # dear epochs: a point after each

    def epoch(self, number):
        self.shown.append(number)
        return super().epoch(number).repeat(20)


def test_what_is_said(tmp_path):
    rows = [{"epoch": n + 1, "loss": 1.0} for n in range(4)]
    for row, value in zip(rows[1:], (0.8, 0.75, 0.7)):
        row["val_label_map"] = value
    write_history(tmp_path / "history.csv", rows)
    words, numbers = describe_course(tmp_path, SegmentConfig(epochs=4), "val")
    assert words == "; curve of val label mAP: last 0.700, best 0.800 at epoch 2"
    assert numbers == {"best_epoch": 2, "best_val_label_map": 0.8, "last_val_label_map": 0.7}
    words, numbers = describe_course(tmp_path, SegmentConfig(epochs=6, patience=2), "val")
    assert words == (
        "; kept epoch 2 of 4 (stopped early, 6 planned), chosen on the labels of split `val`: val label mAP 0.800, "
        "last 0.700"
    )
    assert (numbers["kept_epoch"], numbers["epochs_trained"]) == (2, 4)
    assert numbers["epoch_chosen_on"].endswith(
        "labels of split `val`, which is scored; so scores on it are optimistic"
    )
    for row in rows:
        row["val_miou"] = 0.25
    write_history(tmp_path / "history.csv", rows)
    words, _ = describe_course(tmp_path, SegmentConfig(epochs=4, keep="best"), "test")
    assert words == "; kept epoch 1 of 4, chosen on the masks of split `test`: val mIoU 0.250, last 0.250"
    write_history(tmp_path / "history.csv", [{"epoch": 1, "loss": 1.0}])
    assert describe_course(tmp_path, ClassifyConfig(), "val") == ("", {})


@pytest.fixture
def small(tmp_path, monkeypatch):
    network.register()
    monkeypatch.setenv("WSSEG_CACHE", str(tmp_path / "cache"))

    def build(**sections):
        dataset = {"options": {"size": 64, "train_images": 8, "val_images": 4}}
        return load_recipe(write_recipe(tmp_path / "small.yaml", {"dataset": dataset} | sections))

    return build


def test_options_that_do_not_fit(small, tmp_path, monkeypatch):
    for section, option in (("classify", {"keep": "best"}), ("segment", {"patience": 2})):
        (name, value) = next(iter(option.items()))
        message = f"`{section}.{name}: {value}` needs validation images; set `{section}.validation_images`"
        with pytest.raises(InputError, match=re.escape(message)):
            small(**{section: option | {"validation_images": 0}})
        recipe = small(**{section: option})
        splits = Splits(recipe, tmp_path / "data")
        check_kept_epochs(splits)
        unlabelled = splits.open("val").with_labels({record.id: () for record in splits.open("val")})
        monkeypatch.setattr(splits, "open", lambda split, unlabelled=unlabelled: unlabelled)
        with pytest.raises(InputError, match=rf"`{section}\.keep: best` .* no image of split `val` has one"):
            check_kept_epochs(splits)


def test_the_validation_data_decide_a_segmenter_only_if_an_epoch_is_chosen_on_them(small):
    def data(name, **sections):
        return set(Definitions(Splits(small(**sections))).of(name)["data"]) - {"segment.weights"}

    best, full = {"keep": "best"}, {"train_on": "true_masks"}
    assert data("segment") == {"train"} and data("segment", segment=best) == {"train", "val"}
    assert data("segment", segment=full) == {"train", "train_masks"}
    assert data("segment", segment=full | best) == {"train", "train_masks", "val_masks"}
    assert data("ceiling", ceiling=True, segment=best) == {"train_masks", "val_masks"}
    relabel = {"relabel": {"rounds": 1}}
    assert data("relabel", **relabel) == {"train"}
    assert data("relabel", **relabel, segment={"patience": 3}) == {"train", "val"}


def test_the_conventions_of_the_scores_say_that_an_epoch_was_chosen(small):
    assert "optimistic" not in conventions(small())["segmenter"]
    assert "epoch was chosen on the labels" in conventions(small(segment={"keep": "best"}))["segmenter"]


@pytest.mark.slow
def test_a_classifier_with_its_best_epoch(small, tmp_path):
    recipe = small(classify={"keep": "best", "epochs": 2, "batch_size": 2, "statistics_batches": 1})
    (tmp_path / "out").mkdir()
    outcome = classify.run(recipe, Splits(recipe, tmp_path / "data"), {}, tmp_path / "out")
    values = read_history(tmp_path / "out/history.csv")["val_map"]
    known = [value for value in values if value == value]
    assert outcome.counts["best_val_map"] == max(known) and outcome.counts["last_val_map"] == known[-1]
    assert f"; kept epoch {outcome.counts['kept_epoch']} of 2, chosen on the labels of split" in outcome.line
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["classifier.keras", "history.csv"]
