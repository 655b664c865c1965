"""A weakly supervised run sees no mask of the images that it trains on before it is scored."""

import shutil

import numpy as np
import pytest

from wsseg.artifacts import Manifest, read_mask
from wsseg.datasets import Dataset
from wsseg.saved_models import load_model
from wsseg.stages import STAGES

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
    read = Dataset.read_mask

    def guarded(self, record):
        assert self.split != "train", f"the mask of {record.id} was read"
        return read(self, record)

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
