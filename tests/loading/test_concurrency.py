"""Images are read at the same time, under deterministic operations too: counted, not timed."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from wsseg.loading.pipeline import available_cores

TESTS = Path(__file__).parents[1]

PROGRAM = """
import sys, threading
import tensorflow as tf
from examples.coded_images import coded_dataset
from pathlib import Path
from wsseg.datasets import Dataset
from wsseg.loading.training_batches import TrainingBatches
from wsseg.recipe import TrainingConfig

if sys.argv[2] == "deterministic":
    tf.config.experimental.enable_op_determinism()
met = threading.Barrier(2)


class Meeting(Dataset):
    def read_image(self, record):
        met.wait(timeout=30)  # goes on only when two images are read at once
        return super().read_image(record)


coded = coded_dataset(Path(sys.argv[1]))
dataset = Meeting(coded.name, coded.split, coded.classes, list(coded)[:6])
config = TrainingConfig(crop=32, long_side=(30, 60), batch_size=2, jitter=0.3)
batches = TrainingBatches(dataset, config, 0, target="masks", read_mask=coded.read_mask, object_crops=0.3, erase=0.2)
print(sum(1 for _ in batches.epoch(0)))
"""


@pytest.mark.skipif(available_cores() < 2, reason="tf.data has a thread per core")
@pytest.mark.parametrize("mode", ["deterministic", "any order"])
def test_images_are_read_at_the_same_time(tmp_path, mode):
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, str(tmp_path), mode],
        capture_output=True,
        text=True,
        env=os.environ | {"PYTHONPATH": os.pathsep.join(map(str, (TESTS.parent, TESTS)))},
    )
    assert done.stdout.strip() == "3", done.stderr[-2000:]
