"""Training that is stopped and resumed equals one that is not, bit by bit."""

import csv

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import layers
from PIL import Image

from wsseg.datasets import Dataset, Record
from wsseg.errors import InputError
from wsseg.layers.masked_pooling import MaskedGlobalAveragePooling2D
from wsseg.loading.training_batches import TrainingBatches
from wsseg.recipe import TrainingConfig
from wsseg.training import optimizers
from wsseg.training.checkpoints import Checkpoints
from wsseg.training.resumable_fit import resumable_fit


@pytest.fixture(autouse=True)
def deterministic():
    from tensorflow.python.framework import config

    tf.config.experimental.enable_op_determinism()
    yield
    config.disable_op_determinism()


@pytest.fixture
def dataset(tmp_path):
    random, records = np.random.default_rng(0), []
    for index in range(7):
        path = tmp_path / f"{index}.png"
        Image.fromarray(random.integers(0, 256, (40 + 3 * index, 50, 3), np.uint8)).save(path)
        records.append(Record(str(index), path, ("a",) if index % 2 else ("b",)))
    return Dataset("noise", "train", ("a", "b"), records)


def build(optimizer="sgd", learning_rate=0.1):
    """Return a small network with all that has a state: batch norm, dropout, momentum."""
    keras.utils.set_random_seed(0)
    image, valid = keras.Input((32, 32, 3)), keras.Input((32, 32))
    tensor = layers.Conv2D(4, 3, strides=4)(layers.Rescaling(1 / 255)(image))
    tensor = layers.Dropout(0.5)(layers.ReLU()(layers.BatchNormalization()(tensor)))
    tensor = layers.Dropout(0.5)(MaskedGlobalAveragePooling2D()(tensor, valid))
    head = layers.Dense(2)
    model = keras.Model([image, valid], head(tensor))
    model.compile(
        optimizers.create(optimizer, learning_rate, 9, head.trainable_variables, 10.0, 1e-3),
        keras.losses.BinaryCrossentropy(from_logits=True),
        jit_compile=False,
    )
    return model


def batches(dataset):
    return TrainingBatches(
        dataset, TrainingConfig(crop=32, long_side=(30, 60), batch_size=2, jitter=0.3), seed=1
    )


class Stop(Exception):  # noqa: N818
    """The process is killed."""


@pytest.mark.parametrize("optimizer", [pytest.param("sgd", marks=pytest.mark.slow), "adamw"])
def test_stopped_in_the_second_epoch_and_resumed(tmp_path, dataset, optimizer):
    (tmp_path / "whole").mkdir()
    (tmp_path / "stopped").mkdir()
    whole = build(optimizer)
    initial = whole.get_weights()
    history = resumable_fit(whole, batches(dataset), 3, 0, tmp_path / "whole")

    steps = []

    def stop(text):
        steps.append(text)
        if len(steps) == 5:  # three steps an epoch: in the middle of the second
            raise Stop

    with pytest.raises(Stop):
        resumable_fit(build(optimizer), batches(dataset), 3, 0, tmp_path / "stopped", stop)
    assert len(Checkpoints(tmp_path / "stopped").state()["history"]) == 1
    resumed = build(optimizer)
    keras.utils.set_random_seed(77)  # another process has other random states
    steps = []
    again = resumable_fit(resumed, batches(dataset), 3, 0, tmp_path / "stopped", steps.append)
    assert len(steps) == 6 and steps[0].startswith("loss 0.")
    assert again == history and [row["epoch"] for row in history] == [1, 2, 3]
    for first, one, other in zip(initial, whole.get_weights(), resumed.get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)
        assert not np.array_equal(first, one)
    for one, other in zip(whole.optimizer.variables, resumed.optimizer.variables, strict=True):
        np.testing.assert_array_equal(one.numpy(), other.numpy())
    whole_csv = (tmp_path / "whole" / "history.csv").read_text()
    assert (tmp_path / "stopped" / "history.csv").read_text() == whole_csv
    rows = list(csv.DictReader(whole_csv.splitlines()))
    assert [float(row["loss"]) for row in rows] == [row["loss"] for row in history]


def test_finished_training_is_only_read(tmp_path, dataset):
    model = build()
    history = resumable_fit(model, batches(dataset), 1, 0, tmp_path)
    other, steps = build(), []
    assert resumable_fit(other, batches(dataset), 1, 0, tmp_path, steps.append) == history
    assert steps == [] and len(Checkpoints(tmp_path).state()["history"]) == 1
    for one, two in zip(model.get_weights(), other.get_weights()):
        np.testing.assert_array_equal(one, two)
    Checkpoints(tmp_path).remove()
    assert [path.name for path in tmp_path.iterdir() if path.suffix != ".png"] == ["history.csv"]


def test_one_trace_for_all_epochs(tmp_path, dataset):
    model, traces = build(), []

    class Counting(layers.Layer):
        def call(self, inputs):
            traces.append(1)
            return inputs

    counted = keras.Model(model.inputs, Counting()(model.outputs[0]))
    counted.compile(
        optimizers.create("sgd", 0.1, 9), keras.losses.BinaryCrossentropy(from_logits=True), jit_compile=False
    )
    traces.clear()
    resumable_fit(counted, batches(dataset), 3, 0, tmp_path)
    assert len(traces) == 1


def test_loss_that_is_no_number(tmp_path, dataset):
    model = build()
    resumable_fit(model, batches(dataset), 1, 0, tmp_path)
    before = (tmp_path / "training.json").read_text()
    broken = build(learning_rate=float("inf"))
    with pytest.raises(InputError, match=r"loss became nan at step .; lower `learning_rate`"):
        resumable_fit(broken, batches(dataset), 3, 0, tmp_path)
    assert (tmp_path / "training.json").read_text() == before  # resuming goes on from the whole epoch


@pytest.mark.parametrize("damage", ["deleted", "cut off"])
def test_an_image_that_is_lost_while_training_is_one_line(dataset, tmp_path, damage):
    """TensorFlow wraps the error in its own, of many lines; the epochs before stay."""
    model, path = build(), tmp_path / "3.png"
    (tmp_path / "run").mkdir()

    def lose(epoch):
        if epoch == 0:
            path.unlink() if damage == "deleted" else path.write_bytes(path.read_bytes()[:60])
        return {}

    batches = TrainingBatches(dataset, TrainingConfig(crop=32, long_side=(32, 48), batch_size=2), seed=1)
    with pytest.raises(InputError) as refused:
        resumable_fit(model, batches, 9, 1, tmp_path / "run", measure=lose)
    said = str(refused.value)
    assert said.startswith(f"image {path} ") and "\n" not in said and "Traceback" not in said
    assert 1 <= len(Checkpoints(tmp_path / "run").state()["history"]) < 9
