"""The propagate stage with both affinity networks, on a few scenes with maps that are right in the middle."""

import keras
import numpy as np
import pytest
from scipy.ndimage import binary_erosion
from small_run import network
from small_run.recipe import write_recipe

from wsseg import classifiers
from wsseg.artifacts import ClassMaps, read_mask
from wsseg.recipe import PropagateConfig
from wsseg.recipe.reading import load_recipe
from wsseg.stages.propagate import stage as propagate
from wsseg.stages.propagate.walk import walk
from wsseg.supervision.splits import Splits
from wsseg.training.model_files import save_model

OPTIONS = {
    "crf": {"preset": "none"},
    "confident": [0.6, 0.3],
    "crop": 64,
    "long_side": [64, 64],
    "epochs": 1,
    "batch_size": 4,
    "optimizer": "sgd",  # is traced sooner than AdamW
    "learning_rate": 0.001,
    "learn_radius": 3,
    "radius": 3,
    "steps": 16,
}


@pytest.fixture(scope="module", params=[pytest.param("psa", marks=pytest.mark.slow), "irn"])
def run(request, tmp_path_factory):
    """Return the recipe, the stages' folders and the outcome; two images' maps were there before."""
    network.register()
    folder = tmp_path_factory.mktemp("propagate")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("WSSEG_CACHE", str(folder / "cache"))
        dataset = {"options": {"size": 64, "train_images": 8, "val_images": 2}}
        changes = {
            "dataset": dataset,
            "propagate": OPTIONS | {"method": request.param, "instances": request.param == "irn"},
        }
        recipe = load_recipe(write_recipe(folder / "small.yaml", changes))
        for name in ("data", "classify", "localize/maps", "propagate/maps"):
            (folder / name).mkdir(parents=True)
        inputs = {name: folder / name for name in ("data", "classify", "localize")}
        train, _ = Splits(recipe, inputs["data"]).checked("train", masks=True)
        keras.utils.set_random_seed(0)
        model = classifiers.create("gap", backbone="tiny", num_classes=len(train.classes), output_stride=8)
        save_model(model, folder / "classify/classifier.keras")
        for record in train:
            truth = train.read_mask(record)
            ids = np.unique(truth[(truth > 0) & (truth < 255)])
            core = [binary_erosion(truth == id, iterations=2)[::4, ::4] for id in ids]
            ClassMaps(ids, np.array(core, np.float32), truth.shape).save(
                folder / f"localize/maps/{record.id}.npz"
            )
        kept = train[0].id
        ClassMaps(np.array([1]), np.full((1, 16, 16), 0.5), (64, 64)).save(
            folder / f"propagate/maps/{kept}.npz"
        )
        outcome = propagate.run(recipe, Splits(recipe, inputs["data"]), inputs, folder / "propagate")
    return recipe, folder, train, outcome


def test_maps_are_in_range_and_each_reaches_1(run):
    _, folder, train, outcome = run
    assert outcome.counts["images"] == 8 and np.isfinite(outcome.counts["loss"])
    spread = []
    for record in list(train)[1:]:
        found, given = (
            ClassMaps.load(folder / stage / f"maps/{record.id}.npz") for stage in ("propagate", "localize")
        )
        assert found.class_ids.tolist() == given.class_ids.tolist() and found.size_hw == given.size_hw
        assert found.maps.min() >= 0
        np.testing.assert_allclose(found.maps.max(axis=(1, 2)), 1, atol=1e-3)
        spread.append((found.maps > 0.01).mean() / (given.maps > 0.01).mean())
    assert np.median(spread) > 1


def test_instances_are_parts_of_their_classes(run):
    recipe, folder, train, _ = run
    if recipe.propagate.method == "psa":
        assert not (folder / "propagate/instances").exists()
        return
    for record in list(train)[1:]:
        given = ClassMaps.load(folder / f"localize/maps/{record.id}.npz")
        found = ClassMaps.load(folder / f"propagate/instances/{record.id}.npz")
        assert set(found.class_ids) == set(given.class_ids) and found.maps.shape[1:] == (16, 16)
        largest = found.maps.max(axis=(1, 2))
        for name in set(found.class_ids):
            np.testing.assert_allclose(largest[found.class_ids == name].max(), 1, atol=1e-3)


def test_instances_of_a_class_share_its_largest_value():
    seen = np.zeros((8, 8, 1), np.float32)
    seen[..., 0] = -20  # no boundary: nothing is weakened, and values spread alike
    maps = np.zeros((3, 8, 8), np.float32)
    maps[0, 1, 1], maps[1, 6, 6], maps[2, 1, 6] = 1.0, 0.25, 0.25
    config = PropagateConfig(method="irn", steps=1, radius=2)
    each = walk(config, maps, seen).max(axis=(1, 2))
    np.testing.assert_allclose(each, 1, rtol=1e-5)
    together = walk(config, maps, seen, np.array([0, 0, 1])).max(axis=(1, 2))
    np.testing.assert_allclose(together, [1, 0.25, 1], rtol=1e-4)


def test_what_was_there_is_kept(run):
    _, folder, train, _ = run
    assert (ClassMaps.load(folder / f"propagate/maps/{train[0].id}.npz").maps == 0.5).all()


def test_confident_labels_are_of_the_maps_and_unknown_where_these_are_not_sure(run):
    _, folder, train, _ = run
    for record in train:
        labels, given = (
            read_mask(folder / f"propagate/labels/{record.id}.png"),
            ClassMaps.load(folder / f"localize/maps/{record.id}.npz"),
        )
        assert set(np.unique(labels)) <= {0, 255, *given.class_ids.tolist()}
        assert (labels == 0).any() and (labels == 255).any()


def test_methods_name_what_they_made(run):
    recipe, _, _, outcome = run
    assert outcome.line.startswith(f"{recipe.propagate.method}: 8 images, loss ")
