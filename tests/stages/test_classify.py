"""The classify and localize stages with every head, as they are run, on a few scenes."""

import numpy as np
import pytest
from small_run import network
from small_run.recipe import write_recipe

from wsseg import classifiers
from wsseg.artifacts import ClassMaps
from wsseg.config import load_recipe
from wsseg.report.figures import read_history
from wsseg.saved_models import load_model
from wsseg.stages import classify, localize

EXPLAINER = {"gap": "cam", "nin": "cam", "acol": "acol"}


@pytest.fixture(scope="module", autouse=True)
def tiny_backbone():
    network.register()


@pytest.fixture
def recipe(tmp_path, monkeypatch):
    """Return the small recipe on eight scenes with another head."""
    monkeypatch.setenv("WSSEG_CACHE", str(tmp_path / "cache"))

    def build(head, **changes):
        dataset = {"options": {"size": 64, "train_images": 8, "val_images": 4}}
        sections = {"classify": {"head": head} | changes, "localize": {"explainer": EXPLAINER[head]}}
        return load_recipe(write_recipe(tmp_path / "small.yaml", {"dataset": dataset} | sections))

    return build


@pytest.mark.parametrize("head", classifiers.CLASSIFIERS)
def test_trained_and_localized(recipe, tmp_path, head, monkeypatch):
    # The published widths of the heads are for large images.
    narrow = {"nin": {"channels": 16}, "acol": {"branch_channels": 16}}.get(head, {})
    create = classifiers.create
    monkeypatch.setattr(classifiers, "create", lambda name, **options: create(name, **options | narrow))
    chosen = recipe(head)
    folders = {"data": tmp_path / "data", "classify": tmp_path / "classify"}
    (tmp_path / "classify").mkdir()
    outcome = classify.run(chosen, folders, tmp_path / "classify")
    history = read_history(tmp_path / "classify/history.csv")
    assert history["loss"][-1] < history["loss"][0]
    if head == "acol":
        np.testing.assert_allclose(
            np.add(history["branch_a_loss"], history["branch_b_loss"]), history["loss"], rtol=1e-3
        )
    assert 0 < outcome.counts["val_map"] <= 1
    model = load_model(tmp_path / "classify" / classify.MODEL)
    assert type(model).__name__.lower() == f"{head}classifier"
    (tmp_path / "localize").mkdir()
    outcome = localize.run(chosen, folders, tmp_path / "localize")
    assert outcome.counts["images"] == 8
    found = [ClassMaps.load(path).maps for path in (tmp_path / "localize/maps").iterdir()]
    assert all(maps.shape[1:] == (16, 16) and maps.min() >= 0 for maps in found)
    # A CAM of so short a training may be negative everywhere; ACoL's, scaled from its minimum, never is.
    peaks = np.concatenate([maps.max((1, 2)) for maps in found])
    assert (np.min if head == "acol" else np.max)(peaks) > 0.99 and peaks.max() <= 1
