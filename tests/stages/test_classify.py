"""The classify and localize stages with every head, as they are run, on a few scenes."""

import numpy as np
import pytest
from small_run import network
from small_run.recipe import write_recipe

from wsseg.artifacts import ClassMaps
from wsseg.engine.preflight import parts as preflight
from wsseg.errors import InputError
from wsseg.file_names import CLASSIFIER
from wsseg.recipe.reading import load_recipe
from wsseg.saved_models import load_model
from wsseg.stages import localize
from wsseg.stages.classify import stage as classify
from wsseg.supervision.splits import Splits
from wsseg.training.history import read_history

EXPLAINER = {"gap": "cam", "nin": "cam", "acol": "acol", "seam": "seam"}


@pytest.fixture(scope="module", autouse=True)
def tiny_backbone():
    network.register()


@pytest.fixture
def recipe(tmp_path, monkeypatch):
    """Return the small recipe on eight scenes with another head."""
    monkeypatch.setenv("WSSEG_CACHE", str(tmp_path / "cache"))

    def build(head, explainer=None, stride=None, absent=0.0, **changes):
        dataset = {"options": {"size": 64, "train_images": 8, "val_images": 4}}
        sections = {
            "classify": {"head": head} | changes,
            "localize": {
                "explainer": explainer or EXPLAINER[head],
                "output_stride": stride,
                "absent": absent,
            },
        }
        return load_recipe(write_recipe(tmp_path / "small.yaml", {"dataset": dataset} | sections))

    return build


# The end-to-end tests run `gap`.
@pytest.mark.slow
@pytest.mark.parametrize("head", EXPLAINER)
def test_trained_and_localized(recipe, tmp_path, head):
    # The published widths of the heads are for large images.
    chosen = recipe(head, options={"nin": {"channels": 16}, "acol": {"branch_channels": 16}}.get(head, {}))
    preflight.check_classifier(Splits(chosen))
    folders = {"data": tmp_path / "data", "classify": tmp_path / "classify"}
    (tmp_path / "classify").mkdir()
    outcome = classify.run(chosen, Splits(chosen, folders["data"]), folders, tmp_path / "classify")
    history = read_history(tmp_path / "classify/history.csv")
    assert history["loss"][-1] < history["loss"][0]
    if head == "acol":
        np.testing.assert_allclose(
            np.add(history["branch_a_loss"], history["branch_b_loss"]), history["loss"], rtol=1e-3
        )
    assert 0 < outcome.counts["val_map"] <= 1
    model = load_model(tmp_path / "classify" / CLASSIFIER)
    assert type(model).__name__.lower() == f"{head}classifier"
    (tmp_path / "localize").mkdir()
    outcome = localize.run(chosen, Splits(chosen, folders["data"]), folders, tmp_path / "localize")
    assert outcome.counts["images"] == 8
    found = [ClassMaps.load(path).maps for path in (tmp_path / "localize/maps").iterdir()]
    assert all(maps.shape[1:] == (16, 16) and maps.min() >= 0 for maps in found)
    # A CAM of so short a training may be negative everywhere; ACoL's, scaled from its minimum, never is.
    peaks = np.concatenate([maps.max((1, 2)) for maps in found])
    assert (np.min if head == "acol" else np.max)(peaks) > 0.99 and peaks.max() <= 1


@pytest.mark.parametrize(
    ("head", "changes", "message"),
    [
        (
            "acol",
            {"options": {"erase_treshold": 0.5}},
            "`classify.options`: `acol` has no option `erase_treshold`; did",
        ),
        ("acol", {"options": {"erase_threshold": 1.5}}, "`classify`: `erase_threshold` must be a number in"),
        (
            "gap",
            {"options": {"channels": 8}},
            "`classify.options`: `gap` has no option `channels`; choose one of: act",
        ),
        (
            "nin",
            {"options": {"backbone": "tiny"}},
            "`classify.options.backbone`: write `classify.backbone` instead",
        ),
        ("nin", {"options": {"num_classes": 3}}, "`classify.options.num_classes` is set by the stage itself"),
        ("nin", {"options": {"rectify": True}}, "`classify`: `rectify` needs `activation: softmax`"),
        (
            "gap",
            {"options": {"activation": "softmax"}},
            "`classify.options.activation: softmax` is for images with one",
        ),
        (
            "gap",
            {"explainer": "acol"},
            "`localize.explainer: acol` does not suit `classify.head: gap`; try cam",
        ),
        (
            "seam",
            {"explainer": "acol"},
            "`localize.explainer: acol` does not suit `classify.head: seam`; try seam",
        ),
        (
            "acol",
            {"explainer": "cam"},
            "`localize.explainer: cam` does not suit `classify.head: acol`; try acol",
        ),
        (
            "gap",
            {"explainer": "grad_cam", "absent": 0.5},
            "`localize.absent` adds the maps of several classes",
        ),
        (
            "nin",
            {"stride": 32},
            r"`localize.output_stride` \(32\) must be at most `classify.output_stride` \(8\)",
        ),
    ],
)
def test_said_before_the_run(recipe, head, changes, message):
    with pytest.raises(InputError, match=message):
        preflight.check_classifier(Splits(recipe(head, **changes)))


def test_what_suits_is_let_through(recipe):
    preflight.check_classifier(
        Splits(recipe("acol", explainer="grad_cam", options={"branch_channels": 8}, stride=8))
    )
    preflight.check_classifier(Splits(recipe("gap", stride=32)))
