"""The segment stage on networks with a second head and without padding, as it is run; and what it starts from."""

import keras
import numpy as np
import pytest
from examples.segmenters import SMALL
from small_run import network
from small_run.recipe import write_recipe

from wsseg import classifiers, losses, segmenters
from wsseg.artifacts import read_mask
from wsseg.engine.preflight import parts as preflight
from wsseg.errors import InputError
from wsseg.file_names import SEGMENTER
from wsseg.recipe.reading import load_recipe
from wsseg.saved_models import load_model
from wsseg.stages import segment
from wsseg.stages.evaluate import stage as evaluate
from wsseg.supervision.splits import Splits
from wsseg.training import fitting
from wsseg.training.classifier_weights import start_from_classifier
from wsseg.training.history import read_history


@pytest.fixture(scope="module", autouse=True)
def tiny_backbone():
    network.register()


@pytest.fixture
def small(tmp_path, monkeypatch):
    """Return the small recipe with changes to its segment stage, on six scenes."""
    monkeypatch.setenv("WSSEG_CACHE", str(tmp_path / "cache"))

    def build(**changes):
        dataset = {"options": {"size": 64, "train_images": 6, "val_images": 3}}
        changes = {"train_on": "true_masks", "epochs": 4} | changes
        recipe = load_recipe(write_recipe(tmp_path / "small.yaml", {"dataset": dataset, "segment": changes}))
        preflight.check_loss(Splits(recipe))
        preflight.check_segmenter(recipe)
        return recipe

    return build


def trained_and_scored(recipe, folder):
    """Train on the true masks and predict the validation split; return the losses and the folder of predictions."""
    (folder / "out").mkdir()
    segment.run_ceiling(recipe, Splits(recipe, folder / "data"), {"data": folder / "data"}, folder / "out")
    val, _ = Splits(recipe, folder / "data").checked(recipe.dataset.val, masks=True)
    model = folder / "out" / SEGMENTER
    scores, _ = evaluate.score_segmenter(recipe, val, model, folder / "predictions", {}, "ceiling")
    assert scores["images"] == 3 and 0 <= scores["miou"] <= 1
    for record in val:
        assert read_mask(folder / "predictions" / f"{record.id}.png").shape == (64, 64)
    return read_history(folder / "out/history.csv")["loss"]


@pytest.mark.slow
def test_a_network_with_two_heads(small, tmp_path):
    options = {
        "network": "pspnet",
        "loss": "lovasz_softmax",
        "scales": [0.5, 1.0],
        "fusion": "max",
        "flip": True,
    }
    recipe = small(**options)
    course = trained_and_scored(recipe, tmp_path)
    assert course[-1] < course[0]
    model = load_model(tmp_path / "out" / SEGMENTER)
    keras.utils.set_random_seed(recipe.seed)
    before = segment.build(recipe, {}, model.num_classes)
    # Either head has learnt.
    for name in ("scores", "auxiliary_scores"):
        new, old = (one.named_layers()[name].get_weights()[0] for one in (model, before))
        assert new.shape == old.shape and np.abs(new - old).max() > 1e-4


@pytest.mark.parametrize("weight", [0.0, 0.5])
def test_the_weight_of_the_second_head(small, tmp_path, monkeypatch, weight):
    made = []

    class Spied(losses.WithAuxiliary):
        def __init__(self, *arguments):
            super().__init__(*arguments)
            made.append(self)

    def stop(trained, *rest):
        raise KeyboardInterrupt

    monkeypatch.setattr(losses, "WithAuxiliary", Spied)
    monkeypatch.setattr(fitting, "resumable_fit", stop)
    recipe = small(network="pspnet", auxiliary_weight=weight)
    train, _ = Splits(recipe, tmp_path / "data").checked(recipe.dataset.train, masks=True)
    with pytest.raises(KeyboardInterrupt):
        segment.train_segmenter(recipe, {}, tmp_path, train, train.read_mask, {})
    # Two pixels' classes are as good as certain in the first head and even in the second: only that costs.
    (loss,) = made
    logits = np.zeros((1, 1, 2, 2 * loss.num_classes), np.float32)
    logits[0, 0, [0, 1], [0, 1]] = 50
    expected = weight * np.log(loss.num_classes)
    assert float(loss(np.array([[[0, 1]]]), logits)) == pytest.approx(expected, abs=1e-5)


@pytest.mark.slow
def test_a_network_without_padding_and_a_loss_with_maps(small, tmp_path):
    options = {"network": "unet_valid", "channels": 4, "backbone": None, "output_stride": None, "crop": 220}
    recipe = small(**options, loss="weight_map", loss_options={"sigma": 3.0}, epochs=3)
    course = trained_and_scored(recipe, tmp_path)
    assert course[-1] < course[0]


def saved_classifier(folder, backbone):
    keras.utils.set_random_seed(7)
    model = classifiers.create("gap", backbone=backbone, num_classes=2, output_stride=8)
    folder.mkdir()
    model.save(folder / "classifier.keras")
    return model


def test_it_starts_from_the_classifiers_backbone(small, tmp_path):
    source = saved_classifier(tmp_path / "1_classify", "tiny")
    recipe = small(network="pspnet", weights="classifier", backbone=None)
    model = segment.build(recipe, {"classify": tmp_path / "1_classify"}, 3)
    for level in (1, 5):
        own, other = (one.get_layer(f"block_{level}_conv").get_weights()[0] for one in (model, source))
        np.testing.assert_array_equal(own, other)
    assert model.options["backbone"] == "tiny"


def test_a_classifier_with_nothing_in_common(small, tmp_path):
    source = saved_classifier(tmp_path / "1_classify", "tiny")
    model = segmenters.create("deeplab_v3_plus", backbone="mobilenet_0.25", num_classes=2, channels=8)
    with pytest.raises(InputError, match="`deeplab_v3_plus` has no layer in common with the classifier"):
        start_from_classifier(model.layers, source, "segment", model.network)


@pytest.mark.slow
@pytest.mark.parametrize("name", [name for name in SMALL if "101" not in name])
def test_every_network_is_trained_and_predicts(small, tmp_path, name):
    own, side = SMALL[name]
    stage = {option: own[option] for option in own if option in preflight.OWN_OPTIONS}
    rest = {option: own[option] for option in own if option not in preflight.OWN_OPTIONS}
    without = {"backbone": None, "output_stride": None, "channels": None}
    recipe = small(**without | stage | {"network": name, "options": rest, "crop": side, "epochs": 1})
    assert np.isfinite(trained_and_scored(recipe, tmp_path)).all()
