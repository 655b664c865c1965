"""Whole runs whose training images come with more, or with less, than right image-level labels."""

import json

import numpy as np
import pytest
from small_run.recipe import write_recipe

from wsseg.artifacts import Manifest, read_mask


def finished_run(command, tmp_path, changes):
    recipe = write_recipe(tmp_path / "supervised.yaml", {"segment": {"epochs": 1}} | changes)
    status, output = command("run", recipe, "--run", tmp_path / "run")
    assert status == 0, output
    scores = json.loads((tmp_path / "run/6_evaluate/scores.json").read_text())
    return scores, (tmp_path / "run/7_report/report.html").read_text(), output


@pytest.mark.slow
def test_scribbles(finished, command, tmp_path):
    changes = {"supervision": {"annotations": "scribbles", "simulated": True}}
    scores, page, _ = finished_run(command, tmp_path, changes)
    said = "image-level labels; scribbles SIMULATED from the true training masks, 3 pixels wide"
    assert scores["conventions"]["supervision"] == said and said in page
    before = json.loads((finished.folder / "6_evaluate/scores.json").read_text())
    assert scores["class_maps"] == before["class_maps"]
    assert scores["pseudo_masks"]["miou"] > before["pseudo_masks"]["miou"] + 0.05
    for path in (tmp_path / "run/4_label/annotations").iterdir():
        marks = read_mask(path)
        assert np.array_equal(
            read_mask(tmp_path / "run/4_label/masks" / path.name)[marks < 255], marks[marks < 255]
        )


@pytest.mark.slow
@pytest.mark.parametrize("rest", ["pseudo_masks", "ignore"])
def test_masks_of_some_images(scenes_cache, command, tmp_path, rest):
    scores, page, _ = finished_run(command, tmp_path, {"supervision": {"masks_share": 0.25, "rest": rest}})
    assert "the true masks of a share of 0.25" in page
    assert scores["segmenter"]["images"] == 8
    trained = Manifest.load(tmp_path / "run/5_segment").counts["images"]
    if rest == "ignore":
        assert trained == 6 and scores["pseudo_masks"] is None and scores["class_maps"] is None
        assert not (tmp_path / "run/1_classify").exists() and "Training images" not in page
    else:
        assert trained == 24 and scores["pseudo_masks"]["images"] == 18
        assert "images with a given mask are not scored" in scores["conventions"]["pseudo_masks"]


@pytest.mark.slow
def test_wrong_labels_and_their_correction(scenes_cache, command, tmp_path):
    changes = {
        "supervision": {"label_noise": 0.3, "clean_labels": "confidence", "clean_folds": 2},
        "classify": {"loss": "generalised", "loss_options": {"q": 0.5}},
    }
    scores, page, output = finished_run(command, tmp_path, changes)
    said = "image-level labels, with noise at a rate of 0.3, corrected by classifiers of 2 folds"
    assert scores["conventions"]["supervision"] == said and said in page
    corrected = json.loads((tmp_path / "run/1_classify/corrected_labels.json").read_text())
    assert len(corrected) == 24 and "labels corrected" in output
    labelled = {name for name, labels in corrected.items() if labels}
    assert {path.stem for path in (tmp_path / "run/2_localize/maps").iterdir()} == labelled
    assert scores["pseudo_masks"]["images"] == 24
