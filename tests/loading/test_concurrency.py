"""Images are read by as many threads as there are cores, also under deterministic operations: counted, not timed."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

TESTS = Path(__file__).parents[1]

PROGRAM = """
import sys, threading
import tensorflow as tf
from examples.coded_images import coded_dataset
from pathlib import Path
from wsseg.datasets import Dataset
from wsseg.loading import pipeline
from wsseg.loading.training_batches import TrainingBatches
from wsseg.recipe import TrainingConfig

if sys.argv[2] == "deterministic":
    tf.config.experimental.enable_op_determinism()
pipeline.available_cores = lambda: 3
met = threading.Barrier(3)


class Meeting(Dataset):
    def read_image(self, record):
        met.wait(timeout=30)  # goes on only when three images are read at once
        return super().read_image(record)


coded = coded_dataset(Path(sys.argv[1]))
dataset = Meeting(coded.name, coded.split, coded.classes, list(coded)[:6])
config = TrainingConfig(crop=32, long_side=(30, 60), batch_size=2, jitter=0.3)
batches = TrainingBatches(dataset, config, 0, target="masks", read_mask=coded.read_mask, object_crops=0.3, erase=0.2)
print(sum(1 for _ in batches.epoch(0)))
"""


@pytest.mark.parametrize("mode", ["deterministic", "any order"])
def test_as_many_images_are_in_flight_as_there_are_cores(tmp_path, mode):
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, str(tmp_path), mode],
        capture_output=True,
        text=True,
        env=os.environ | {"PYTHONPATH": os.pathsep.join(map(str, (TESTS.parent, TESTS)))},
    )
    assert done.stdout.strip() == "3", done.stderr[-2000:]
