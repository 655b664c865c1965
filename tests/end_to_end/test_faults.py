"""A hundred faults at random writes of whole runs: the same command goes on, to the results of an undisturbed run."""

import json
import os
import random
import shutil
import signal

import numpy as np
import pytest
from small_run.faults import FULL, Fault
from small_run.forked import Server
from small_run.recipe import write_recipe

from wsseg.recipe.reading import load_recipe
from wsseg.stages import STAGES, plan

TINY = {"crop": 32, "long_side": [32, 40], "epochs": 1}
SCENES = {"options": {"size": 48, "train_images": 12, "val_images": 6}}
SEARCH = {"rounds": 1, "bilateral_weight": [5, 10], "bilateral_sxy": [20], "bilateral_srgb": [5]}
WALK = TINY | {"batch_size": 4, "learn_radius": 2, "radius": 2, "steps": 8, "confident": [0.6, 0.3]}
MASKS = {
    "seed": 1,
    "dataset": SCENES,
    "ceiling": True,
    "supervision": {
        "annotations": "scribbles",
        "simulated": True,
        "masks_share": 0.25,
        "label_noise": 0.2,
        "clean_labels": "confidence",
        "clean_folds": 2,
    },
    "classify": TINY | {"epochs": 2},
    "propagate": WALK | {"method": "psa"},
    "label": {"threshold": {"rule": "calibration", "split": "val"}, "crf_search": SEARCH},
    "segment": TINY | {"epochs": 2},
}
ROUNDS = {
    "seed": 1,
    "dataset": SCENES,
    "classify": TINY,
    "label": {"threshold": {"rule": "otsu"}, "workers": 2},
    "relabel": {"rounds": 1},
    "segment": TINY,
}
DETECTOR = {"channels": 8, "head_channels": 16, "mask_channels": 8, "proposals": 20, "regions": 8}
OBJECTS = {
    "seed": 1,
    "dataset": SCENES,
    "ceiling": True,
    "classify": TINY,
    "propagate": WALK | {"method": "irn", "instances": True},
    "segment": {"network": "none"},
    "detect": {
        "network": "mask_rcnn",
        "weights": "classifier",
        "options": DETECTOR,
        "crop": 64,
        "long_side": [60, 70],
        "optimizer": "adamw",
        "epochs": 1,
        "objects": 3,
    },
}
RECIPES = {"masks": MASKS, "rounds": ROUNDS, "objects": OBJECTS}
RECORDS = (
    "scores.json",
    "instance_scores.json",
    "threshold.json",
    "crf_search.json",
    "corrected_labels.json",
)
KINDS = ("SIGKILL", "SIGTERM", "SIGINT", FULL)
STATUSES = {"SIGKILL": -9, "SIGTERM": 143, "SIGINT": 130, FULL: 2}
FARTHEST = 12
"""Writes of one command until its fault, at most. The first opens the lock and writes nothing: no disk is full then."""


@pytest.fixture(scope="module")
def server(tmp_path_factory, scenes_cache):
    result = Server(tmp_path_factory.mktemp("server") / "log.txt")
    yield result
    result.close()


def results(run):
    """What an undisturbed run promises, by path: masks, maps, instances and scores."""
    found = {}
    for path in sorted(run.rglob("*")):
        name = str(path.relative_to(run))
        if path.suffix == ".png":
            found[name] = path.read_bytes()
        elif path.suffix == ".npz":
            with np.load(path) as arrays:
                found[name] = {key: arrays[key].tobytes() for key in arrays.files}
        elif path.name in RECORDS or (path.suffix == ".json" and path.parent.name == "instances"):
            found[name] = json.loads(path.read_text())
    return found


def left_over(run):
    return [path for path in run.rglob("*") if "partial" in path.name or "checkpoint" in path.name]


def drawn(generator):
    kind = generator.choice(KINDS)
    group = kind != FULL and generator.random() < 0.5
    delay = 0.0 if kind == FULL or generator.random() < 0.5 else generator.uniform(0.001, 1.0)
    return Fault(kind, generator.randint(2 if kind == FULL else 1, FARTHEST), delay, group)


def check_end(fault, ended):
    """Check that the fault ended the command as it should, and return whether it did; it may have come too late."""
    assert not ended.orphans, fault
    assert "Traceback" not in ended.output, (fault, ended.output)
    if ended.status == 0:
        return False
    if fault.kind in ("SIGTERM", "SIGINT") and ended.status == -signal.Signals[fault.kind]:
        return True  # after the last line
    assert ended.status == STATUSES[fault.kind], (fault, ended)
    last = ended.output.strip().splitlines()[-1] if ended.output.strip() else ""
    if fault.kind == FULL:
        assert last.startswith("wsseg: ") and "No space left on device" in last, (fault, ended)
    elif fault.kind != "SIGKILL":
        assert last.startswith("wsseg: stopped; nothing is lost, resume with: wsseg run"), (fault, ended)
    return True


def disturbed(server, words, run, generator, most):
    """Run the command until it has finished, or met the most faults and then finished; return the faults."""
    met = []
    while len(met) < most:
        fault = drawn(generator)
        ended = server(*words, fault=fault, folder=run)
        if not check_end(fault, ended):
            return met
        met.append(fault)
    ended = server(*words)
    assert ended.status == 0, ended.output
    return met


@pytest.mark.slow
@pytest.mark.timeout(7200)
@pytest.mark.parametrize("name", RECIPES)
def test_a_run_that_meets_faults_all_the_way(server, tmp_path, name):
    count = int(os.environ.get("WSSEG_FAULTS", "102")) // len(RECIPES)
    recipe = write_recipe(tmp_path / f"{name}.yaml", RECIPES[name])
    whole, run = tmp_path / "whole", tmp_path / "run"
    ended = server("run", recipe, "--run", whole)
    assert ended.status == 0, ended.output
    generator = random.Random(f"faults of {name}")
    words = ("run", recipe, "--run", run)
    stages = [STAGES[stage].folder for stage in plan(load_recipe(recipe))]
    expected, met = results(whole), []
    while len(met) < count:  # a run may finish before it has met all
        shutil.rmtree(run, ignore_errors=True)
        met += disturbed(server, words, run, generator, count - len(met))
        assert sorted(path.name for path in run.glob("[1-7]_*")) == sorted(stages)
        assert not left_over(run)
        found = results(run)
        assert expected.keys() == found.keys()
        assert [path for path, content in expected.items() if found[path] != content] == []
    print(f"{name}: {len(met)} faults", {kind: sum(fault.kind == kind for fault in met) for kind in KINDS})
