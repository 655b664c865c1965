"""A weakly supervised run sees no mask of the images that it trains on before it is scored."""

import shutil

import numpy as np
import pytest

from wsseg.artifacts import Manifest, read_mask
from wsseg.datasets import Dataset
from wsseg.recipe.reading import load_recipe
from wsseg.saved_models import load_model
from wsseg.stages import STAGES
from wsseg.supervision.splits import Splits
from wsseg.supervision.training_images import with_given_masks

BLIND = ("classify", "localize", "propagate", "label", "segment")


@pytest.fixture(scope="module")
def unmasked(finished, scenes_cache, tmp_path_factory):
    """The scenes less the training masks: half of them are garbage, the others gone."""
    folder = tmp_path_factory.mktemp("unmasked") / "scenes"
    shutil.copytree(next(scenes_cache.glob("scenes-*")), folder)
    for number, path in enumerate(sorted((folder / "train/masks").iterdir())):
        path.write_bytes(b"garbage") if number % 2 else path.unlink()
    return folder


def test_training_masks_change_nothing_before_evaluate(finished, unmasked, command, tmp_path, monkeypatch):
    """Nor do masks of validation images, on which the networks are measured between epochs."""

    def guarded(self, record):
        raise AssertionError(f"the mask of {record.id} was read")

    run = tmp_path / "run"
    with monkeypatch.context() as patch:
        patch.setattr(Dataset, "read_mask", guarded)
        for name in BLIND:
            status, output = command(name, finished.recipe, "--run", run, "--dataset.root", unmasked)
            assert status == 0, output
        with pytest.raises(AssertionError, match="was read"):
            command("ceiling", "--run", run)
    for name in BLIND:
        folder = STAGES[name].folder
        assert Manifest.load(run / folder).definition == Manifest.load(finished.folder / folder).definition
    for path in (finished.folder / "4_label/masks").iterdir():
        assert np.array_equal(read_mask(path), read_mask(run / "4_label/masks" / path.name))
    one, other = (load_model(folder / "5_segment/segmenter.keras") for folder in (finished.folder, run))
    assert all(np.array_equal(a, b) for a, b in zip(one.get_weights(), other.get_weights(), strict=True))


def test_without_usable_training_masks_scoring_says_which_is_broken(finished, unmasked, command, tmp_path):
    run = finished.copy(tmp_path / "run", "6_evaluate", "7_report", "data")
    status, output = command("evaluate", "--run", run, "--dataset.root", unmasked, "--ceiling", "false")
    assert status == 2 and "no image of split `train` can be used" in output and "mask" in output


def test_of_the_training_masks_only_given_ones_are_opened(
    finished, unmasked, scenes_cache, command, tmp_path, monkeypatch
):
    """A fifth of the masks are there and given; the others, still garbage or gone, change nothing."""
    words = ["--supervision.masks_share", "0.2"]
    drawn = {record.id for record in with_given_masks(Splits(load_recipe(finished.recipe, words)))}
    root = shutil.copytree(unmasked, tmp_path / "scenes")
    whole = next(scenes_cache.glob("scenes-*")) / "train/masks"
    for name in drawn:
        shutil.copy(whole / f"{name}.png", root / "train/masks")
    read, opened = Dataset.read_mask, []
    monkeypatch.setattr(
        Dataset, "read_mask", lambda self, record: opened.append(record.id) or read(self, record)
    )
    run = finished.copy(tmp_path / "run", "data")
    status, output = command("label", "--run", run, "--dataset.root", root, *words)
    assert status == 0, output
    assert len(drawn) == 5 and sorted(opened) == sorted(drawn)
    for path in (finished.folder / "4_label/masks").iterdir():
        source = whole / path.name if path.stem in drawn else path
        assert np.array_equal(read_mask(run / "4_label/masks" / path.name), read_mask(source))
    opened.clear()
    status, output = command("segment", "--run", run, "--dataset.root", root, "--segment.epochs", "1")
    assert status == 0 and opened == [], output


def test_simulated_annotations_are_all_that_the_label_stage_has_of_masks(
    finished, unmasked, command, tmp_path, monkeypatch
):
    """The same scribbles from files, where masks are garbage, make the same pseudo-masks."""
    words = ["--supervision.annotations", "scribbles"]
    run = finished.copy(tmp_path / "run")
    status, output = command("label", "--run", run, *words, "--supervision.simulated", "true")
    assert status == 0 and "scribbles in 24 images" in output, output
    made = run / "4_label/annotations"
    assert len(list(made.iterdir())) == 24

    def refuse(self, record):
        raise AssertionError(f"the mask of {record.id} was read")

    monkeypatch.setattr(Dataset, "read_mask", refuse)
    again = finished.copy(tmp_path / "again", "data")
    words += ["--supervision.annotations_root", made, "--dataset.root", unmasked]
    status, output = command("label", "--run", again, *words)
    assert status == 0, output
    changed = 0
    for path in (run / "4_label/masks").iterdir():
        mask = read_mask(path)
        assert np.array_equal(mask, read_mask(again / "4_label/masks" / path.name))
        changed += not np.array_equal(mask, read_mask(finished.folder / "4_label/masks" / path.name))
    assert changed > 12  # they do say something
