"""Fixtures of the engine's tests: stages that compute nothing, a few photographs, and recipes for them."""

import dataclasses

import numpy as np
import pytest
from PIL import Image
from small_run import fake_stages

from wsseg.artifacts import write_mask
from wsseg.engine import run as engine
from wsseg.recipe.reading import load_recipe
from wsseg.stages import STAGES


@pytest.fixture
def fakes(monkeypatch):
    """Put stages that compute nothing in place of the real ones."""
    for name, stage in STAGES.items():
        monkeypatch.setitem(STAGES, name, dataclasses.replace(stage, work="small_run.fake_stages:run"))
    monkeypatch.setattr(engine, "check_parts", lambda splits: None)  # it loads the networks' tables: slow
    fake_stages.RAN.clear()
    fake_stages.FAILING.clear()
    fake_stages.WARNINGS.clear()


@pytest.fixture
def photographs(tmp_path):
    """Three images in each of two splits, all with masks."""
    root = tmp_path / "photographs"
    (root / "images").mkdir(parents=True)
    (root / "masks").mkdir()
    rows = ["image,labels,split"]
    for split in ("train", "val", "more"):
        for index, labels in enumerate(("cat", "dog", "cat dog")):
            pixels = np.random.default_rng([index, *split.encode()]).integers(0, 256, (20, 20, 3), np.uint8)
            Image.fromarray(pixels).save(root / f"images/{split}{index}.png")
            write_mask(root / f"masks/{split}{index}.png", np.zeros((20, 20), np.uint8))
            rows.append(f"{split}{index}.png,{labels},{split}")
    (root / "labels.csv").write_text("\n".join(rows) + "\n")
    return root


@pytest.fixture
def recipe(photographs):
    def build(*words):
        base = ["--name=test", "--dataset.name=folder", f"--dataset.root={photographs}"]
        return load_recipe(overrides=[*base, *(f"--{word}" for word in words)])

    return build


@pytest.fixture
def made(recipe, tmp_path):
    """A finished run."""
    engine.run(recipe(), tmp_path / "run", say=lambda line: None)
    fake_stages.RAN.clear()
    return tmp_path / "run"


@pytest.fixture
def stale(recipe):
    def find(folder, *words):
        found = engine.states(recipe(*words), folder)
        return {state.stage: state.why for state in found if state.status == "stale"}

    return find


@pytest.fixture
def again(recipe):
    """Run the recipe again, and return the lines for the user."""

    def run(folder, *words, only=None):
        said = []
        engine.run(recipe(*words), folder, only, said.append)
        return said

    return run
