"""`kill -9` at the worst moments: the same command finishes, with the results of an undisturbed run."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from wsseg.artifacts import Manifest, read_mask
from wsseg.stages import STAGES

ROOT = Path(__file__).parents[2]
FOLDERS = [stage.folder for stage in STAGES.values()]


def environment(**more):
    paths = os.pathsep.join([str(ROOT / "tests"), str(ROOT), os.environ.get("PYTHONPATH", "")])
    return os.environ | {"PYTHONPATH": paths} | more


def run_until_killed(moment, *words):
    """Run the command in a process that is killed when the file that `moment` names is half in its place."""
    words = [sys.executable, "-m", "small_run.command", *map(str, words)]
    done = subprocess.run(words, env=environment(KILL_AT=moment), capture_output=True, text=True, cwd=ROOT)
    assert done.returncode == -signal.SIGKILL, done.stderr


def pixels(folder):
    return {path.name: read_mask(path).tobytes() for path in sorted(folder.glob("*.png"))}


def same_scores(run, other, *names):
    scores, others = (json.loads((folder / "6_evaluate/scores.json").read_text()) for folder in (run, other))
    return all(scores[name] == others[name] for name in names)


def no_leftovers(run):
    return not [path for path in run.rglob("*") if "partial" in path.name or "checkpoint" in path.name]


@pytest.mark.slow
def test_killed_while_training_the_classifier_and_while_labelling(finished, command, tmp_path):
    """The whole run from nothing. Both kills are between a file's last byte and its renaming."""
    run = tmp_path / "run"
    words = ["run", finished.recipe, "--run", run, "--ceiling", "false"]
    run_until_killed("1_classify.partial/training.json:2", *words)
    assert (run / "1_classify.partial/1_checkpoint.weights.h5").exists()
    assert len(json.loads((run / "1_classify.partial/training.json").read_text())["history"]) == 1
    run_until_killed("4_label.partial/masks/*.png:9", *words)
    assert Manifest.load(run / "1_classify").resumed
    assert len(pixels(run / "4_label.partial/masks")) == 8
    assert list((run / "4_label.partial/masks").glob(".*.partial"))

    status, output = command(*words)
    assert status == 0, output
    assert "classify: done already, skipped" in output and "label: resumes" in output
    assert no_leftovers(run)
    assert pixels(run / "4_label/masks") == pixels(finished.folder / "4_label/masks")
    assert pixels(run / "6_evaluate/predictions") == pixels(finished.folder / "6_evaluate/predictions")
    assert same_scores(run, finished.folder, "class_maps", "pseudo_masks", "segmenter")


def test_killed_while_localizing(finished, command, tmp_path):
    run = finished.copy(tmp_path / "run", *FOLDERS[1:])
    run_until_killed("2_localize.partial/maps/*.npz:5", "localize", "--run", run)
    kept = {path: path.stat().st_mtime_ns for path in (run / "2_localize.partial/maps").glob("train*.npz")}
    assert len(kept) == 4
    status, output = command("localize", "--run", run)
    assert status == 0 and "localize: resumes" in output
    for path, time_ns in kept.items():
        assert (run / "2_localize/maps" / path.name).stat().st_mtime_ns == time_ns, "was made again"
    assert no_leftovers(run)
    for path in (finished.folder / "2_localize/maps").iterdir():
        with np.load(path) as expected, np.load(run / "2_localize/maps" / path.name) as found:
            assert all(np.array_equal(expected[name], found[name]) for name in expected.files), path


@pytest.mark.slow
def test_killed_before_the_last_renaming(finished, command, tmp_path):
    """All is written, the folder alone has not its name yet: nothing is computed again."""
    run = finished.copy(tmp_path / "run", *FOLDERS[3:])
    run_until_killed("4_label:1", "label", "--run", run)
    assert not (run / "4_label").exists() and Manifest.load(run / "4_label.partial") is not None
    times = {path.name: path.stat().st_mtime_ns for path in (run / "4_label.partial/masks").iterdir()}
    status, output = command("label", "--run", run)
    assert status == 0 and "done already" in output
    assert times == {path.name: path.stat().st_mtime_ns for path in (run / "4_label/masks").iterdir()}
    assert no_leftovers(run)


@pytest.mark.slow
@pytest.mark.parametrize(
    "moment",
    [
        "5_segment.partial/training.json:1",
        "5_segment.partial/training.json:2",
        "5_segment.partial/segmenter.keras:1",
        "5_segment_ceiling.partial/segmenter.keras:1",
        "6_evaluate.partial/predictions/*.png:3",
        "7_report.partial/report.html:1",
    ],
)
def test_killed_later(finished, command, tmp_path, moment):
    start = FOLDERS.index(moment.split(".partial")[0])
    run = finished.copy(tmp_path / "run", *FOLDERS[start:])
    run_until_killed(moment, "run", "--run", run)
    status, output = command("run", "--run", run)
    assert status == 0 and ": resumes" in output
    assert no_leftovers(run)
    for folder in ("6_evaluate/predictions", "6_evaluate/ceiling_predictions"):
        assert pixels(run / folder) == pixels(finished.folder / folder)
    assert same_scores(run, finished.folder, "class_maps", "pseudo_masks", "segmenter", "ceiling")


@pytest.mark.slow
def test_killed_from_outside_with_worker_processes(finished, command, tmp_path):
    """At any moment, with workers that may live a little longer than their parent."""
    run = finished.copy(tmp_path / "run", *FOLDERS[3:])
    words = ["label", "--run", str(run), "--label.workers", "2", "--label.crf.iterations", "4000"]
    process = subprocess.Popen(
        [sys.executable, "-m", "small_run.command", *words],
        env=environment(),
        stderr=subprocess.PIPE,
        cwd=ROOT,
    )
    masks = run / "4_label.partial/masks"
    until = time.monotonic() + 120
    while len(list(masks.glob("*.png"))) < 3 and process.poll() is None and time.monotonic() < until:
        time.sleep(0.002)
    process.kill()
    process.communicate()
    assert process.returncode == -signal.SIGKILL and (run / "4_label.partial").exists()
    undisturbed = finished.copy(tmp_path / "undisturbed", *FOLDERS[3:])
    for folder in (run, undisturbed):
        status, output = command("label", "--run", folder, *words[3:])
        assert status == 0, output
    assert pixels(run / "4_label/masks") == pixels(undisturbed / "4_label/masks")


def test_a_full_disk_while_labelling_keeps_what_was_made(finished, command, tmp_path, monkeypatch):
    run = finished.copy(tmp_path / "run", *FOLDERS[3:])
    save, saved = Image.Image.save, []

    def fill_up(self, file, *args, **kwargs):
        saved.append(file)
        if len(saved) > 5:
            raise OSError(28, "No space left on device")
        save(self, file, *args, **kwargs)

    with monkeypatch.context() as patch:
        patch.setattr(Image.Image, "save", fill_up)
        status, output = command("label", "--run", run)
    assert status == 2
    assert "cannot write" in output and "No space left on device" in output and "resumes" in output
    assert len(pixels(run / "4_label.partial/masks")) == 5
    assert not list((run / "4_label.partial/masks").glob(".*"))
    status, output = command("status", run)
    assert "label      next  (begun, will resume)" in output

    status, output = command("label", "--run", run)
    assert status == 0 and "label: resumes" in output
    assert pixels(run / "4_label/masks") == pixels(finished.folder / "4_label/masks")
