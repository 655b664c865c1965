"""A whole run on one folder per class: tiny masks of gray levels, and a class without an object."""

import json

import numpy as np
import pytest
import yaml
from PIL import Image
from small_run.in_process import run_quietly
from small_run.recipe import SMALL, merged
from small_run.tiles import CLASSES, write_tile, write_tiles

from wsseg.artifacts import Manifest, read_mask

FREE, BLOB, EMPTY = "exp2_num_", "exp0_num_", "exp1_num_0"


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """The recipe that `wsseg init` writes, run with the options of the small recipe. One training mask is empty."""
    folder = tmp_path_factory.mktemp("tiles")
    write_tiles(folder / "tiles")
    Image.new("L", (64, 48)).save(folder / f"tiles/T_Line/Imgs/{EMPTY}.png")
    write_tile(folder / "tiles", "T_Blob", "large", 7, (60, 72))
    status, said = run_quietly("init", folder / "tiles", "--out", folder / "tiles.yaml")
    assert status == 0, said
    written = yaml.safe_load((folder / "tiles.yaml").read_text())
    small = {key: options for key, options in SMALL.items() if key not in ("name", "dataset")}
    small |= {"relabel": {"rounds": 0}}
    recipe = merged(
        merged(written, small),
        {"classify": {"weights": None, "epochs": 1}, "segment": {"scales": [1.0], "epochs": 1}},
    )
    (folder / "small.yaml").write_text(yaml.safe_dump(recipe))
    status, output = run_quietly("run", folder / "small.yaml", "--run", folder / "run")
    assert status == 0, output
    return folder / "run"


def test_images_of_nothing_train_and_hold_background(run):
    counts = Manifest.load(run / "1_classify").counts
    assert (counts["images"], counts["val_images"], counts["classes"]) == (25, 6, list(CLASSES))
    masks = sorted((run / "4_label/masks").iterdir())
    free = [path for path in masks if path.stem.startswith(FREE)]
    assert (len(masks), len(free)) == (25, 8) and not any(read_mask(path).any() for path in free)
    maps = {path.stem for path in (run / "2_localize/maps").iterdir()}
    assert len(maps) == 17 and not any(name.startswith(FREE) for name in maps)


def test_they_count_in_the_scores_and_an_empty_mask_does_not(run):
    scores = json.loads((run / "6_evaluate/scores.json").read_text())
    assert (scores["pseudo_masks"]["images"], scores["segmenter"]["images"]) == (24, 6)
    assert tuple(scores["segmenter"]["iou"]) == ("background", *CLASSES)
    aside = Manifest.load(run / "6_evaluate").set_aside
    assert list(aside) == [EMPTY] and "no pixel above 127" in aside[EMPTY]
    assert Manifest.load(run / "1_classify").set_aside == {}
    assert EMPTY in (run / "7_report/report.html").read_text()
    # The background's IoU, counted anew from the files.
    predicted = {path.stem: read_mask(path) == 0 for path in (run / "6_evaluate/predictions").iterdir()}
    assert len(predicted) == 6 and sum(name.startswith(FREE) for name in predicted) == 2
    both = either = 0
    root = run.parent / "tiles"
    for name, background in predicted.items():
        true = np.asarray(Image.open(next(root.glob(f"*/Imgs/{name}.png")))) <= 127
        both += (background & true).sum()
        either += (background | true).sum()
    assert scores["segmenter"]["iou"]["background"] == pytest.approx(both / either, abs=1e-6)
