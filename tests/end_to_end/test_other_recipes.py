"""Recipes off the main road: full supervision, one class, a power background, a batch above the data."""

import json

import numpy as np
import pytest
from examples.half_precision import needs_half_precision
from small_run.recipe import write_recipe

from wsseg.artifacts import read_mask
from wsseg.recipe.reading import load_recipe
from wsseg.stages import plan


def scores_of(run):
    return json.loads((run / "6_evaluate/scores.json").read_text())


@pytest.mark.slow
def test_full_supervision_on_one_class(scenes_cache, command, tmp_path):
    changes = {
        "segment": {"train_on": "true_masks", "batch_size": 64, "epochs": 1},
        "dataset": {"classes": ["daisy"], "options": {"size": 64, "train_images": 24, "val_images": 8}},
    }
    recipe = write_recipe(tmp_path / "masks.yaml", changes)
    status, output = command("run", recipe, "--run", tmp_path / "run")
    assert status == 0, output
    assert sorted(path.name for path in (tmp_path / "run").glob("[1-7]_*")) == [
        "5_segment",
        "6_evaluate",
        "7_report",
    ]
    assert "segmenter (true masks)" in output and "of its ceiling" not in output
    scores = scores_of(tmp_path / "run")
    assert scores["class_maps"] is None and scores["pseudo_masks"] is None
    assert tuple(scores["segmenter"]["iou"]) == ("background", "daisy")
    assert scores["segmenter"] == scores["ceiling"] and scores["segmenter"]["supervision"] == "masks"
    page = (tmp_path / "run/7_report/report.html").read_text()
    assert "true masks (fully supervised)" in page and "Training images" not in page


@pytest.mark.slow
def test_one_class_from_labels_with_a_power_background(scenes_cache, command, tmp_path):
    changes = {
        "dataset": {"classes": ["daisy"], "options": {"size": 64, "train_images": 24, "val_images": 8}},
        "classify": {"batch_size": 64, "jitter": 0.0},
        "localize": {"explainer": "grad_cam", "scales": [0.5, 1.0], "output_stride": 16},
        "label": {
            "background": "power",
            "threshold": {"level": 4.0},
            "unsure": 2.0,
            "crf": {"preset": "psa"},
        },
        "segment": {
            "loss": "cross_entropy",
            "scales": [0.5, 1.0],
            "flip": True,
            "crf": {"preset": "deeplab_v2"},
        },
        "evaluate": {"oracle_levels": [8.0]},
    }
    recipe = write_recipe(tmp_path / "power.yaml", changes)
    status, output = command("run", recipe, "--run", tmp_path / "run")
    assert status == 0, output
    scores = scores_of(tmp_path / "run")
    assert (
        scores["class_maps"]["oracle"] is None
    )  # the levels of its curve are those of a constant background
    assert [scores["pseudo_masks"][name] for name in ("threshold", "rule")] == [4.0, "fixed"]
    assert scores["pseudo_masks"]["oracle"]["threshold"] in (4.0, 8.0)
    assert "unsure pixels count as misses" in scores["conventions"]["pseudo_masks"]
    found = [np.unique(read_mask(path)) for path in (tmp_path / "run/4_label/masks").iterdir()]
    assert set(np.concatenate(found)) <= {0, 1, 255}


@pytest.mark.slow
@pytest.mark.parametrize("rule", ["otsu", "calibration"])
def test_other_rules_on_the_scenes(finished, command, tmp_path, rule):
    run = finished.copy(tmp_path / "run", *(["2_localize", "3_propagate"] if rule == "calibration" else []))
    words = ["--label.threshold.rule", rule, "--label.threshold.split", "val"]
    for name in plan(
        load_recipe(finished.recipe, [f"--label.threshold.rule={rule}", "--label.threshold.split=val"])
    ):
        if name in ("localize", "propagate", "label"):
            status, output = command(name, "--run", run, *words)
            assert status == 0, output
    chosen = json.loads((run / "4_label/threshold.json").read_text())
    assert chosen["rule"] == rule and 0 < chosen["level"] < 1


@pytest.mark.slow
def test_a_walk_is_scored_beside_the_maps_that_it_began_with(scenes_cache, command, tmp_path):
    walk = {"method": "irn", "confident": [0.6, 0.3], "crop": 64, "long_side": [64, 72], "epochs": 1}
    changes = {
        "propagate": walk | {"instances": True, "batch_size": 4, "learn_radius": 3, "radius": 3, "steps": 16},
        "label": {
            "threshold": {"rule": "calibration", "split": "val"},
            "crf_search": {
                "rounds": 1,
                "bilateral_weight": [5, 10],
                "bilateral_sxy": [20],
                "bilateral_srgb": [5],
            },
        },
        "segment": {"epochs": 1},
    }
    recipe = write_recipe(tmp_path / "walk.yaml", changes)
    status, output = command("run", recipe, "--run", tmp_path / "run")
    assert status == 0, output
    page = (tmp_path / "run/7_report/report.html").read_text()
    assert "walked maps" in output and "walked maps" in page and "CRF search" in page
    trials = json.loads((tmp_path / "run/4_label/crf_search.json").read_text())
    found = json.loads((tmp_path / "run/4_label/threshold.json").read_text())["crf"]
    assert len(trials) == 2 and found == max(trials, key=lambda trial: trial["miou"])["parameters"]
    scores = scores_of(tmp_path / "run")
    assert scores["walked_maps"]["miou"] != scores["class_maps"]["miou"]
    assert len(list((tmp_path / "run/3_propagate/calibration_maps").iterdir())) > 0
    # Instances are of the training images alone.
    of_train, instances = (
        {path.name for path in (tmp_path / "run/3_propagate" / part).iterdir()}
        for part in ("maps", "instances")
    )
    assert instances == of_train


@needs_half_precision
@pytest.mark.slow
def test_a_half_precision_recipe(scenes_cache, command, tmp_path):
    import keras

    recipe = write_recipe(tmp_path / "half.yaml", {"precision": "mixed_float16", "segment": {"epochs": 1}})
    try:
        status, output = command("run", recipe, "--run", tmp_path / "run")
    finally:
        keras.config.set_dtype_policy("float32")
    assert status == 0, output
    assert 0 <= scores_of(tmp_path / "run")["segmenter"]["miou"] <= 1


@pytest.mark.slow
def test_instances_from_labels(scenes_cache, command, tmp_path):
    detect = {
        "network": "mask_rcnn",
        "weights": "classifier",
        "options": {"channels": 8, "head_channels": 16, "mask_channels": 8, "proposals": 20, "regions": 8},
        "crop": 64,
        "long_side": [60, 70],
        "optimizer": "adamw",
        "epochs": 1,
        "objects": 3,
    }
    propagate = {
        "method": "irn",
        "instances": True,
        "crop": 64,
        "long_side": [64, 72],
        "epochs": 1,
        "steps": 8,
    }
    changes = {"detect": detect, "propagate": propagate, "segment": {"network": "none"}, "ceiling": True}
    recipe = write_recipe(tmp_path / "instances.yaml", changes)
    status, output = command("run", recipe, "--run", tmp_path / "run")
    assert status == 0, output
    assert "pseudo-instances" in output and "ceiling" in output
    scores = json.loads((tmp_path / "run/6_evaluate_detectors/instance_scores.json").read_text())
    assert set(scores) == {"pseudo_instances", "detector", "ceiling"}
    page = (tmp_path / "run/7_report/report.html").read_text()
    assert "Objects" in page and "missed" in page
    status, output = command("run", recipe, "--run", tmp_path / "run")
    assert status == 0 and output.count("done already, skipped") == len(plan(load_recipe(recipe)))
