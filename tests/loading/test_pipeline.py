"""Every tf.data pipeline of the package starts in `wsseg.loading.pipeline`, and none is tuned while it runs."""

import ast
import threading
import time
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf
from examples.coded_images import coded_dataset

import wsseg
from wsseg import datasets
from wsseg.loading import padded_batches, pipeline
from wsseg.loading.instance_batches import InstanceBatches
from wsseg.loading.training_batches import TrainingBatches
from wsseg.recipe import TrainingConfig
from wsseg.stages.classify.train_classifier import Examples

PACKAGE = Path(wsseg.__file__).parent
OWNER = PACKAGE / "loading" / "pipeline.py"
OTHER_CONSTRUCTORS = {"image_dataset_from_directory", "timeseries_dataset_from_array", "TFRecordDataset"}


def pipelines_started(source: str) -> list[str]:
    """Return `line: name` of each place that makes a `tf.data.Dataset`, or leaves a number to its tuner."""
    found = []
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("tensorflow"):
            found.append(f"{node.lineno}: from {node.module}")  # a name of its own would hide what it is
        if isinstance(node, ast.Attribute):
            whole = ast.unparse(node)
            if "data.Dataset." in whole or node.attr == "AUTOTUNE" or node.attr in OTHER_CONSTRUCTORS:
                found.append(f"{node.lineno}: {whole}")
    return found


def test_no_other_file_starts_a_pipeline():
    started = {
        f"{path.relative_to(PACKAGE)}:{place}"
        for path in PACKAGE.rglob("*.py")
        if path != OWNER
        for place in pipelines_started(path.read_text())
    }
    assert not started, "start it with wsseg.loading.pipeline.read_in_order"


def test_the_walk_sees_what_it_looks_for():
    assert pipelines_started(OWNER.read_text())
    assert pipelines_started("data = tf.data.Dataset.range(3)")
    assert pipelines_started("data = tensorflow.data.Dataset.from_generator(read)")
    assert pipelines_started("data = data.map(read, num_parallel_calls=tf.data.AUTOTUNE)")
    assert pipelines_started("from tensorflow.data import Dataset")
    assert pipelines_started("data = keras.utils.image_dataset_from_directory(folder)")
    assert not pipelines_started("def epoch(number: int) -> tf.data.Dataset: return data.map(read)")


@pytest.fixture
def made(monkeypatch):
    """Every dataset that is iterated over by `as_numpy_iterator`, which gives only arrays away."""
    seen = []
    whole = tf.data.Dataset.as_numpy_iterator
    monkeypatch.setattr(tf.data.Dataset, "as_numpy_iterator", lambda data: seen.append(data) or whole(data))
    return seen


def test_no_dataset_is_tuned(tmp_path, made):
    coded = coded_dataset(tmp_path)
    scenes = datasets.create("scenes", root=tmp_path / "scenes", size=64, train_images=2, val_images=2)
    small = TrainingConfig(crop=32, long_side=(30, 60), batch_size=2)
    training = TrainingBatches(coded, small, seed=1)
    larger = TrainingConfig(crop=64, long_side=(64, 64), batch_size=2)
    objects = InstanceBatches(scenes, scenes.read_instances, larger, seed=1)
    assert list(padded_batches.padded_batches(coded, coded, batch_size=2))
    whole_images = made.pop()
    for_a_classifier = Examples(training, lambda images, labels: (images[0], labels))
    for data in (training.epoch(0), objects.epoch(0), for_a_classifier.epoch(0), whole_images):
        assert data.options().autotune.enabled is False


class Overlap:
    """A slow reader that knows how many of its calls ran at once."""

    def __init__(self):
        self.lock, self.now, self.most = threading.Lock(), 0, 0

    def read(self, index):
        with self.lock:
            self.now += 1
            self.most = max(self.most, self.now)
        time.sleep(0.02 if index % 3 else 0.06)  # out of order, were the order not held
        with self.lock:
            self.now -= 1
        return index

    def through(self, count, **options):
        def read(index):
            return tf.numpy_function(self.read, [index], tf.int64, stateful=False)

        return list(pipeline.read_in_order(np.arange(count), read, **options).as_numpy_iterator())


@pytest.mark.parametrize("calls", [1, 2])
def test_in_order_with_no_more_calls_at_once_than_wanted(calls):
    reader = Overlap()
    assert reader.through(12, parallel_calls=calls) == list(range(12))
    assert 1 <= reader.most <= calls


def test_one_call_per_core_up_to_a_limit(monkeypatch):
    called = []
    whole = tf.data.Dataset.map
    monkeypatch.setattr(
        tf.data.Dataset,
        "map",
        lambda data, *args, **options: called.append(options) or whole(data, *args, **options),
    )
    for cores in (3, 100):
        monkeypatch.setattr(pipeline, "available_cores", lambda cores=cores: cores)
        assert Overlap().through(2) == [0, 1]
    assert [options["num_parallel_calls"] for options in called] == [3, pipeline.MAX_PARALLEL_CALLS]
    assert all(options["deterministic"] for options in called)


def test_cores_where_the_system_tells_no_affinity(monkeypatch):
    assert pipeline.available_cores() >= 1
    monkeypatch.delattr("os.sched_getaffinity", raising=False)
    monkeypatch.setattr("os.cpu_count", lambda: None)
    assert pipeline.available_cores() == 1
