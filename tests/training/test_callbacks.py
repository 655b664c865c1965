"""Callbacks that a recipe names: found, checked, and shown a whole training; and TensorBoard's event files."""

import csv
import shutil
import sys
import types

import keras
import numpy as np
import pytest
import tensorflow as tf
from tensorflow.core.util.event_pb2 import Event

from wsseg.engine.made_files import write_made_files
from wsseg.engine.preflight.callbacks import check_callbacks
from wsseg.errors import InputError
from wsseg.recipe import TrainingConfig, ValidatedTrainingConfig, identity
from wsseg.recipe.reading import load_recipe
from wsseg.training.callbacks import create_callbacks
from wsseg.training.fitting import fit
from wsseg.training.validation import Validation


class Batches:
    """Three small batches an epoch; the process may be stopped before an epoch."""

    steps, batch_size = 3, 4

    def __init__(self, kill_in=None):
        self.kill_in = kill_in

    def epoch(self, number):
        if number == self.kill_in:
            raise KeyboardInterrupt
        random = np.random.default_rng([5, number])
        images = random.normal(3, 2, (3, 4, 8)).astype(np.float32)
        return tf.data.Dataset.from_tensor_slices((images, (images.mean(2) > 3)[..., None]))


class Noted(keras.callbacks.Callback):
    """Note what is called, and stop where asked to."""

    def __init__(self, calls, stop_after=None):
        super().__init__()
        self.calls, self.stop_after = calls, stop_after

    def on_train_begin(self, logs=None):
        self.calls.append(("begin", dict(self.params), type(self.model).__name__))

    def on_epoch_begin(self, epoch, logs=None):
        self.calls.append(("epoch", epoch))

    def on_train_batch_end(self, batch, logs=None):
        self.calls.append(("batch", batch, sorted(logs)))

    def on_epoch_end(self, epoch, logs=None):
        self.calls.append(("end of epoch", epoch, dict(logs)))
        if epoch == self.stop_after:
            self.model.stop_training = True

    def on_train_end(self, logs=None):
        self.calls.append(("end",))


class Scaled(keras.callbacks.Callback):
    """Change the weights at the end of the training."""

    def on_train_end(self, logs=None):
        self.model.set_weights([2 * value for value in self.model.get_weights()])


@pytest.fixture
def noted(monkeypatch):
    """Return the calls that a callback gets whose module a recipe can name."""
    calls = []
    module = types.ModuleType("noting")

    class Mine(Noted):
        def __init__(self, stop_after=None):
            super().__init__(calls, stop_after)

    module.Mine, module.Scaled, module.number = Mine, Scaled, 3
    monkeypatch.setitem(sys.modules, "noting", module)
    return calls


def trained(folder, kill_in=None, validation=None, **options):
    keras.utils.set_random_seed(0)
    image = keras.Input((8,))
    model = keras.Model(image, keras.layers.Dense(1)(keras.layers.Dense(4, "relu")(image)))
    config = ValidatedTrainingConfig(crop=32, epochs=4, **options)
    folder.mkdir(exist_ok=True)
    recipe = types.SimpleNamespace(seed=3, jit=False)
    loss = keras.losses.BinaryCrossentropy(from_logits=True)
    fit(recipe, config, model, Batches(kill_in), [], folder, "training", loss, validation)
    return model


def rows_of(path):
    return list(csv.DictReader(path.read_text().splitlines()))


def curve():
    """Return a validation that has a point after the second and the last of four epochs."""
    values = iter((0.5, 0.75))
    epoch = 3 * 3 * 4 * 32 * 32
    return Validation(("val_map",), lambda: {"val_map": next(values)}, 2 * epoch // 10)


def test_they_see_one_training_with_real_epoch_numbers(tmp_path, noted):
    trained(tmp_path, validation=curve(), callbacks={"noting.Mine": {}})
    assert [one[0] for one in noted].count("begin") == [one[0] for one in noted].count("end") == 1
    assert noted[0] == ("begin", {"epochs": 4, "steps": 3, "verbose": 0}, "Functional")
    assert noted[-1] == ("end",)
    assert [one[1] for one in noted if one[0] == "epoch"] == [0, 1, 2, 3]
    assert [one[1] for one in noted if one[0] == "batch"] == [0, 1, 2] * 4
    assert noted[2][2] == ["loss"]
    logs = [one[2] for one in noted if one[0] == "end of epoch"]
    assert [one["val_map"] for one in logs] == pytest.approx([np.nan, 0.5, np.nan, 0.75], nan_ok=True)
    rows = rows_of(tmp_path / "history.csv")
    assert [one["loss"] for one in logs] == [float(row["loss"]) for row in rows]
    # Poly decay with power 0.9, after 3, 6, 9 and 12 of 12 steps.
    expected = [0.01 * (1 - step / 12) ** 0.9 for step in (3, 6, 9, 12)]
    assert [one["learning_rate"] for one in logs] == pytest.approx(expected, abs=1e-9)
    assert [float(row["learning_rate"]) for row in rows] == [one["learning_rate"] for one in logs]


def test_they_change_nothing_and_go_on_after_a_stop(tmp_path, noted):
    plain = trained(tmp_path / "plain")
    with pytest.raises(KeyboardInterrupt):
        trained(tmp_path / "killed", kill_in=2, callbacks={"noting.Mine": {}})
    assert [one[1] for one in noted if one[0] == "end of epoch"] == [0, 1]
    noted.clear()
    resumed = trained(tmp_path / "killed", callbacks={"noting.Mine": {}})
    assert noted[0][0] == "begin" and noted[0][1]["epochs"] == 4 and noted[-1] == ("end",)
    assert [one[1] for one in noted if one[0] == "end of epoch"] == [2, 3]
    for one, other in zip(plain.get_weights(), resumed.get_weights()):
        assert one.tobytes() == other.tobytes()
    noted.clear()
    trained(tmp_path / "killed", callbacks={"noting.Mine": {}})
    assert noted == []  # all epochs are done


def test_one_may_stop_the_training_for_good(tmp_path, noted):
    for _ in range(2):
        trained(tmp_path, callbacks={"noting.Mine": {"stop_after": 1}})
        rows = rows_of(tmp_path / "history.csv")
        assert [row["epoch"] for row in rows] == ["1", "2"]
    assert [one[0] for one in noted].count("begin") == 1 and noted[-1] == ("end",)


def test_weights_that_one_changes_at_the_end_are_those_of_a_resumed_training(tmp_path, noted):
    plain = trained(tmp_path / "plain")
    for _ in range(2):
        scaled = trained(tmp_path / "scaled", callbacks={"noting.Scaled": {}})
        for one, other in zip(plain.get_weights(), scaled.get_weights()):
            np.testing.assert_array_equal(2 * one, other)


@pytest.mark.filterwarnings(
    "ignore::pytest.PytestUnraisableExceptionWarning"
)  # the stopped one closes no file
def test_csv_logger_of_keras_appends_over_a_stop(tmp_path):
    path = tmp_path / "log.csv"
    named = {"keras.callbacks.CSVLogger": {"filename": str(path), "append": True}}
    with pytest.raises(KeyboardInterrupt):
        trained(tmp_path / "out", kill_in=2, validation=curve(), callbacks=named)
    trained(tmp_path / "out", validation=curve(), callbacks=named)
    rows = rows_of(path)
    assert [row["epoch"] for row in rows] == ["0", "1", "2", "3"]
    assert [row["val_map"] for row in rows] == ["nan", "0.5", "nan", "0.5"]


@pytest.mark.parametrize(
    ("named", "message"),
    [
        ({"CSVLogger": {}}, "`CSVLogger` must be a dotted name, such as keras.callbacks.CSVLogger"),
        ({"no_such.Mine": {}}, r"module `no_such` cannot be imported \(ModuleNotFoundError.*PYTHONPATH"),
        ({"noting.Mien": {}}, "`noting` has no `Mien`; did you mean `Mine`"),
        ({"math.Mine": {}}, "`math` has no `Mine`; it has no class of callbacks"),
        ({"noting.number": {}}, r"`noting.number` is not a subclass of keras.callbacks.Callback"),
        ({"noting.Mine": {"stop": 1}}, r"`noting.Mine` cannot be made with options \{'stop': 1\}: TypeError"),
        ({"keras.callbacks.ReduceLROnPlateau": {}}, "cannot be used: the learning rate is a schedule"),
        ({"keras.callbacks.BackupAndRestore": {}}, "cannot be used: a stopped training resumes by itself"),
    ],
)
def test_said_before_the_run(noted, tmp_path, named, message):
    path = tmp_path / "recipe.yaml"
    path.write_text(f"segment: {{callbacks: {named}}}")
    with pytest.raises(InputError, match=rf"^`segment\.callbacks`: .*{message}") as caught:
        check_callbacks(load_recipe(path))
    assert "\n" not in str(caught.value)


def test_they_are_options_of_a_recipe_without_a_part_in_its_identity(noted):
    words = ["--detect.callbacks", "{noting.Mine: {stop_after: 2}}", "--detect.tensorboard", "true"]
    recipe = load_recipe(overrides=words)
    assert create_callbacks(recipe.detect.callbacks, "x")[0].stop_after == 2
    assert identity(recipe.detect) == identity(load_recipe().detect)
    check_callbacks(recipe)


def events(folder):
    """Read the scalars in a folder of event files with TensorFlow's reader of records: (name, step, value)."""
    found = []
    for path in sorted(folder.iterdir()):
        for record in tf.data.TFRecordDataset(str(path)):
            event = Event.FromString(record.numpy())
            for value in event.summary.value:
                assert value.metadata.plugin_data.plugin_name == "scalars"
                found.append((value.tag, event.step, float(tf.make_ndarray(value.tensor))))
    return found


@pytest.mark.parametrize("between", ["nothing", "deleted", "partial"])
def test_tensorboard_has_every_epoch_once_whatever_is_left_of_a_stopped_training(tmp_path, between):
    with pytest.raises(KeyboardInterrupt):
        trained(tmp_path, kill_in=2, validation=curve(), tensorboard=True)
    folder = tmp_path / "tensorboard"
    assert len(events(folder)) == 2 * 2 + 1
    if between == "deleted":
        shutil.rmtree(folder)
    elif between == "partial":
        (path,) = folder.iterdir()
        path.write_bytes(path.read_bytes()[:-9])
    trained(tmp_path, validation=curve(), tensorboard=True)
    rows = rows_of(tmp_path / "history.csv")
    expected = [
        (name, int(row["epoch"]), pytest.approx(float(value), rel=1e-6))
        for row in rows
        for name, value in row.items()
        if name != "epoch" and value
    ]
    assert sorted(events(folder)) == sorted(expected, key=lambda one: one[:2])
    assert {name for name, _, _ in expected} == {"loss", "learning_rate", "val_map"}


def test_event_files_are_no_part_of_what_a_stage_has_made(tmp_path):
    """They hold the time of day; if they were, deleting them would make the stages after stale."""
    (tmp_path / "round_1/tensorboard").mkdir(parents=True)
    (tmp_path / "round_1/tensorboard/events").write_text("12:00")
    (tmp_path / "history.csv").write_text("epoch")
    write_made_files(tmp_path, {})
    assert "events" not in (tmp_path / "files.json").read_text()
    assert "history.csv" in (tmp_path / "files.json").read_text()


def test_a_training_without_a_curve_takes_them_too(tmp_path, noted):
    image = keras.Input((8,))
    model = keras.Model(image, keras.layers.Dense(1)(image))
    config = TrainingConfig(crop=32, epochs=1, callbacks={"noting.Mine": {}}, tensorboard=True)
    recipe = types.SimpleNamespace(seed=3, jit=False)
    loss = keras.losses.BinaryCrossentropy(from_logits=True)
    fit(recipe, config, model, Batches(), [], tmp_path, "training", loss)
    assert noted[-1] == ("end",) and {one[0] for one in events(tmp_path / "tensorboard")} == {
        "loss",
        "learning_rate",
    }
