"""Mask R-CNN on the built-in scenes: what it reaches from true objects, on the recipe's own budget."""

import pytest

from wsseg.artifacts import read_json
from wsseg.cli import main

RECIPE = "scenes_instances"


@pytest.mark.slow
@pytest.mark.timeout(5400)
def test_masks_from_labels_and_from_true_objects(tmp_path):
    """Over half an hour on two cores; AP50 of masks (val), from true objects and from labels alone."""
    assert main(["run", RECIPE, "--run", str(tmp_path / "run")]) == 0
    scores = read_json(tmp_path / "run/6_evaluate_detectors/instance_scores.json")
    full, weak = (scores[name]["masks"]["ap50"] for name in ("ceiling", "detector"))
    assert full >= 0.70, f"AP50 {full:.3f}"
    assert weak >= 0.70 * full, f"AP50 {weak:.3f} of {full:.3f}"
