"""ACoL's fused maps against NumPy, alone and over several scales; and models that have none."""

import keras
import numpy as np
import pytest
from references.class_map_heads import scale_to_unit
from small_run import network

from wsseg import classifiers
from wsseg.errors import InputError
from wsseg.explainers.acol import ACoL
from wsseg.explainers.cam import CAM
from wsseg.explainers.multi_scale import MultiScale
from wsseg.saved_models import load_model

IMAGES = np.random.default_rng(0).uniform(0, 255, (2, 64, 96, 3)).astype("float32")


@pytest.fixture(scope="module")
def model():
    network.register()
    keras.utils.set_random_seed(0)
    model = classifiers.create("acol", backbone="tiny", num_classes=3, branch_channels=12)
    for layer in model.layers:
        if isinstance(layer, keras.layers.BatchNormalization):
            layer.momentum = 0.0
    model(IMAGES, training=True)
    return model


@pytest.fixture(scope="module")
def explainer(model):
    return ACoL(model)


def fused(pair, image, label):
    return np.maximum(*(scale_to_unit(maps[image, ..., label].astype(float)) for maps in pair))


def test_fused_maps(model, explainer):
    pair = [maps.numpy() for maps in model.branch_maps()(IMAGES)]
    found = explainer.raw(IMAGES, [[0, 2], [1, -1]])
    assert found.shape == (2, 2, 4, 6)
    for image, place, label in ((0, 0, 0), (0, 1, 2), (1, 0, 1)):
        expected = fused(pair, image, label)
        np.testing.assert_allclose(found[image, place], expected, atol=1e-5)
        # Each branch adds something.
        assert all(np.abs(expected - scale_to_unit(maps[image, ..., label])).max() > 0.05 for maps in pair)
    assert found[1, 1].max() == 0
    # What else is explained has no say.
    np.testing.assert_allclose(explainer.raw(IMAGES, [2, 1]), np.stack([found[0, 1], found[1, 0]]), atol=1e-5)


def test_regions_of_the_explained_classes(model, explainer):
    maps = ACoL(model, erase="explained").raw(IMAGES, [[0, 2], [1, -1]])
    labels = np.array([[1, 0, 1], [0, 1, 0]], "float32")
    pair = [maps.numpy() for maps in model.branch_maps(given_classes=True)([IMAGES, labels])]
    for image, place, label in ((0, 0, 0), (0, 1, 2), (1, 0, 1)):
        np.testing.assert_allclose(maps[image, place], fused(pair, image, label), atol=1e-5)
    assert np.abs(maps - explainer.raw(IMAGES, [[0, 2], [1, -1]])).max() > 1e-2


def test_placed_like_the_features(model, explainer):
    cam = CAM(classifiers.create("gap", backbone="tiny", num_classes=3))
    assert explainer.grid == cam.grid and explainer.grid is not None
    maps = explainer(IMAGES, [0, 1])
    assert maps.shape == (2, 64, 96) and maps.min() >= 0 and maps.max() == 1


def test_several_scales_are_summed_as_they_are(explainer):
    targets = [[0, 2], [1, -1]]
    sums = MultiScale(explainer, (1.0, 0.5), flip=True, map_stride=8).raw(IMAGES, targets)
    parts = [MultiScale(explainer, (s,), flip=True, map_stride=8).raw(IMAGES, targets) for s in (1.0, 0.5)]
    np.testing.assert_allclose(sums, sum(parts), atol=1e-4)
    assert sums.shape == (2, 2, 8, 12) and 0 < sums.max() <= 4 and not sums[1, 1].any()


def test_a_loaded_model(tmp_path, model, explainer):
    model.save(tmp_path / "classifier.keras")
    loaded = ACoL(load_model(tmp_path / "classifier.keras"))
    np.testing.assert_array_equal(loaded.raw(IMAGES, [0, 1]), explainer.raw(IMAGES, [0, 1]))


def test_a_constant_map_is_no_evidence(model):
    copy = type(model).from_config(model.get_config())
    for layer in (copy.get_layer("branch_a_maps"), copy.branch_b[-1]):
        layer.kernel.assign(0 * layer.kernel)
    assert not ACoL(copy).raw(IMAGES, [0, 1]).any()


def test_other_models_and_targets(model, explainer):
    other = classifiers.create("gap", backbone="tiny", num_classes=3)
    with pytest.raises(
        InputError, match=r"`acol` fuses .* `gap_classifier` is of another kind; train one .*`grad_cam`"
    ):
        ACoL(other)
    with pytest.raises(
        InputError, match="`layer`: `acol` explains the class maps `branch_a_maps`; got 'erasing'"
    ):
        ACoL(model, layer="erasing")
    with pytest.raises(InputError, match="`erase` must be predicted or explained; got 'all'"):
        ACoL(model, erase="all")
    with pytest.raises(InputError, match="class indices only; use `grad_cam`"):
        explainer.raw(IMAGES, lambda output: output[:, 0])
