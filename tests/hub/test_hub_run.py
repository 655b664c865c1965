"""A whole run on a preset of keras-hub: maps at other strides and scales, affinities and a segmenter."""

import pytest

pytest.importorskip("keras_hub")

from hub.tiny import TEXTS, shake
from small_run.in_process import run_quietly
from small_run.recipe import write_recipe

from wsseg.layers.hub_architecture import Architecture
from wsseg.saved_models import load_model
from wsseg.supervision.splits import weights_fingerprint


def test_the_presets_weights_are_no_file():
    assert weights_fingerprint("preset") == "preset"


@pytest.mark.slow
def test_a_run(tmp_path):
    network = Architecture.parse(TEXTS["dinov2"]).build()
    shake(network)
    network.save_to_preset(str(tmp_path / "preset"))
    name = f"hub:{tmp_path / 'preset'}"
    affinities = {
        "epochs": 1,
        "crop": 64,
        "long_side": [64, 72],
        "batch_size": 4,
        "radius": 3,
        "learn_radius": 3,
    }
    recipe = write_recipe(
        tmp_path / "recipe.yaml",
        {
            "classify": {"backbone": name, "weights": "preset", "output_stride": 16, "epochs": 2},
            "localize": {"scales": [1.0, 0.5], "output_stride": 8},
            "propagate": {"method": "psa", "weights": "classifier", "output_stride": 8, **affinities},
            "segment": {
                "network": "deeplab_v3",
                "backbone": name,
                "output_stride": 16,
                "weights": "classifier",
                "epochs": 1,
                "channels": 8,
            },
        },
    )
    status, output = run_quietly("run", recipe, "--run", tmp_path / "run")
    assert status == 0, output
    expected = network.get_layer("encoder").get_weights()
    for file in ("1_classify/classifier.keras", "5_segment/segmenter.keras"):
        found = load_model(tmp_path / "run" / file).get_layer("hub_features").encoder
        for mine, theirs in zip(found.get_layer("encoder").get_weights(), expected, strict=True):
            assert (mine == theirs).all()  # the preset's, frozen, from stage to stage
