"""The real command, with worker processes: nothing of TensorFlow's start reaches the user."""

import os
import subprocess
import sys

import pytest

SMALL = (
    "--dataset.options={size: 64, train_images: 24, val_images: 8} --classify.epochs=1 --classify.batch_size=8 "
    "--classify.crop=64 --classify.long_side=[64,72] --label.workers=2"
)


@pytest.mark.slow
def test_the_stages_up_to_the_workers_write_nothing_to_standard_error(tmp_path, scenes_cache):
    kept = {key: value for key, value in os.environ.items() if key != "TF_CPP_MIN_LOG_LEVEL"}
    words = [f"--{word.strip()}" for word in f" {SMALL}".split(" --")[1:]]
    for stage in ("classify", "localize", "propagate", "label"):
        command = [sys.executable, "-m", "wsseg", stage, "scenes", "--run", str(tmp_path / "run"), *words]
        done = subprocess.run(command, capture_output=True, text=True, env=kept)
        assert done.returncode == 0, done.stderr
        said = [
            line for line in done.stderr.splitlines() if " s left" not in line
        ]  # progress of slow machines
        assert said == [] and done.stdout.startswith(f"{stage}: ")
