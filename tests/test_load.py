"""`wsseg.load`: trained models on new photographs."""

import dataclasses
import json

import keras
import numpy as np
import pytest
from examples.segmenter_checks import randomise
from PIL import Image
from references.class_maps import bilinear
from small_run import network as tiny

import wsseg
from wsseg import classifiers, detectors, segmenters
from wsseg.artifacts import Manifest, write_json
from wsseg.errors import InputError
from wsseg.recipe import Recipe, load_recipe, to_plain
from wsseg.refiners import DenseCRF
from wsseg.segmenters.restrict_to_labels import restrict_to_labels
from wsseg.segmenters.segmenter import Segmenter

NAMES = ("background", "cat", "dog")
SMALL = {"channels": 8, "head_channels": 8, "mask_channels": 8, "proposals": 8, "detections": 3}


def segmenter(class_names=NAMES, **options):
    keras.utils.set_random_seed(0)
    options = {"backbone": "tiny", "output_stride": 8, "channels": 8, "num_classes": 3} | options
    return randomise(segmenters.create("deeplab_v3", class_names=class_names, **options))


@pytest.fixture(scope="module", autouse=True)
def tiny_backbone():
    tiny.register()


@pytest.fixture(scope="module")
def saved(tmp_path_factory):
    """A segmenter of random weights, and its file."""
    model, path = segmenter(), tmp_path_factory.mktemp("saved") / "pets.keras"
    model.save(path)
    return model, path


@pytest.fixture(scope="module")
def photographs(tmp_path_factory):
    """Three files of different sizes, two of them odd."""
    folder, random = tmp_path_factory.mktemp("photographs"), np.random.default_rng(0)
    for name, size_hw in (("a.png", (64, 64)), ("b.png", (37, 53)), ("c.png", (71, 30))):
        Image.fromarray(random.integers(0, 256, (*size_hw, 3), np.uint8)).save(folder / name)
    return sorted(folder.iterdir())


def pixels(path):
    return np.asarray(Image.open(path))


def softmax(logits):
    shifted = np.exp(logits - logits.max(-1, keepdims=True))
    return shifted / shifted.sum(-1, keepdims=True)


def called(model, image, flip=True):
    """Probabilities by calling the model: of an image whose sides need no filling up."""
    batch = image[None].astype("float32")
    result = softmax(model(batch).numpy())[0]
    if flip:
        result = (result + softmax(model(batch[:, :, ::-1]).numpy())[0, :, ::-1]) / 2
    return result


def make_run(folder, model, options=(), classes=None):
    """Make a run folder as `wsseg run` leaves it, with the segmenter alone."""
    recipe = load_recipe(overrides=list(options))
    (folder / "5_segment").mkdir(parents=True)
    model.save(folder / "5_segment/segmenter.keras")
    owner = {"name": "mine", "file": None, "overrides": [], "options": to_plain(recipe)}
    write_json(folder / "recipe.json", owner)
    if classes:
        (folder / "1_classify").mkdir()
        Manifest("classify", {}, {"classes": classes}, {}, {}, 1.0, False, 1.0).save(folder / "1_classify")
    return folder


def test_a_file_an_array_a_list(saved, photographs):
    network, path = saved
    model = wsseg.load(path)
    assert (model.kind, model.classes, model.named) == ("segmenter", NAMES, True)
    assert model.crf is None and isinstance(model.model, type(network))
    found = model.predict(photographs[0])
    expected = called(network, pixels(photographs[0]))
    assert found.classes == NAMES
    assert found.probabilities.shape == (64, 64, 3) and found.probabilities.dtype == np.float32
    np.testing.assert_allclose(found.probabilities, expected, atol=1e-5)
    assert found.mask.shape == (64, 64) and found.mask.dtype == np.uint8
    np.testing.assert_array_equal(found.mask, found.probabilities.argmax(-1))
    several = model.predict([str(photographs[1]), pixels(photographs[2]), photographs[0]])
    assert [one.mask.shape for one in several] == [(37, 53), (71, 30), (64, 64)]
    np.testing.assert_allclose(several[2].probabilities, found.probabilities, atol=1e-5)
    (alone,) = model.predict((pixels(photographs[1]),))
    np.testing.assert_allclose(alone.probabilities, several[0].probabilities, atol=1e-5)
    assert model.predict([]) == []


def test_class_names_are_saved_with_the_model(tmp_path):
    for kind, make in (
        ("segmenter", lambda **names: segmenter(**names)),
        ("classifier", lambda **names: classifiers.create("gap", backbone="tiny", num_classes=3, **names)),
        (
            "detector",
            lambda **names: detectors.create(
                "faster_rcnn", backbone="plain", num_classes=3, input_size=(32, 32),
                **{k: v for k, v in SMALL.items() if k != "mask_channels"}, **names
            ),
        ),
    ):  # fmt: skip
        path = tmp_path / f"{kind}.keras"
        make(class_names=["x", "cat", "dog"]).save(path)
        loaded = keras.models.load_model(path)
        assert loaded.class_names == ("x", "cat", "dog")
        model = wsseg.load(path)
        assert (model.kind, model.classes, model.named) == (kind, ("x", "cat", "dog"), True)
        with pytest.raises(InputError, match="`class_names` must be 3 different names"):
            make(class_names=["cat", "dog"])
        with pytest.raises(InputError, match="must be 3 different names"):
            make(class_names=["x", "cat", "cat"])


def test_a_copy_of_a_classifier_or_detector_keeps_its_names():
    model = classifiers.create("gap", backbone="tiny", num_classes=2, class_names=("a", "b"))
    assert model.at_output_stride(8).class_names == ("a", "b")
    detector = detectors.create(
        "mask_rcnn", backbone="plain", num_classes=2, input_size=(32, 32), class_names=("x", "a"), **SMALL
    )
    assert detector.at_size((64, 64)).class_names == ("x", "a")


def without_names(monkeypatch):
    """Let segmenters be saved as before they had names."""
    own = Segmenter.get_config
    short = lambda self: {key: value for key, value in own(self).items() if key != "class_names"}  # noqa: E731
    monkeypatch.setattr(Segmenter, "get_config", short)


def test_names_of_a_model_of_before_come_from_its_run(tmp_path, monkeypatch):
    without_names(monkeypatch)
    model = segmenter(class_names=None)
    manifest = make_run(tmp_path / "manifest", model, classes=["ant", "bee"])
    assert wsseg.load(manifest).classes == ("background", "ant", "bee")
    assert wsseg.load(manifest / "5_segment/segmenter.keras").classes == ("background", "ant", "bee")
    recipe = make_run(tmp_path / "recipe", model, ["--dataset.classes=[fly, wasp]"])
    assert wsseg.load(recipe).classes == ("background", "fly", "wasp")
    unknown = wsseg.load(make_run(tmp_path / "unknown", model))
    assert (unknown.classes, unknown.named) == (("background", "class 1", "class 2"), False)
    other = make_run(tmp_path / "other", model, classes=["ant", "bee", "fly"])  # of another number of classes
    assert not wsseg.load(other).named


def test_a_run_predicts_as_its_recipe_says(tmp_path, photographs):
    network = segmenter()
    options = ["--segment.scales=[1.0, 2.0]", "--segment.flip=false", "--segment.max_side=64"]
    run = make_run(tmp_path / "run", network, options)
    model = wsseg.load(str(run))
    image = pixels(photographs[0])
    large = np.stack([bilinear(image[..., c].astype("float32"), 128, 128) for c in range(3)], -1)
    second = called(network, large, flip=False)
    second = np.stack([bilinear(second[..., k], 64, 64) for k in range(3)], -1)
    expected = (called(network, image, flip=False) + second) / 2
    np.testing.assert_allclose(model.predict(image).probabilities, expected, atol=1e-4)
    assert (model.predictor.max_side, model.predictor.fusion, model.crf) == (64, "mean", None)
    found = model.predict(np.zeros((100, 200, 3), np.uint8))
    assert found.mask.shape == (100, 200)
    np.testing.assert_array_equal(found.mask, found.probabilities.argmax(-1))


def test_the_crf_of_a_run(tmp_path, photographs):
    network = segmenter()
    run = make_run(
        tmp_path / "run", network, ["--segment.crf.preset=deeplab_v2", "--segment.crf.iterations=2"]
    )
    image = pixels(photographs[0])
    plain = wsseg.load(run, crf="none").predict(image)
    refined = wsseg.load(run).predict(image)
    expected = DenseCRF.preset("deeplab_v2", iterations=2)(image, plain.probabilities)
    np.testing.assert_allclose(refined.probabilities, expected, atol=1e-4)
    assert np.abs(refined.probabilities - plain.probabilities).max() > 0.01
    only = wsseg.load(run).predict(image, labels=["dog"]).probabilities
    kept = np.asarray(restrict_to_labels(plain.probabilities, np.array([0, 1])))[..., [0, 2]]
    expected = DenseCRF.preset("deeplab_v2", iterations=2)(image, kept)
    np.testing.assert_allclose(only[..., [0, 2]], expected, atol=1e-4)
    assert not only[..., 1].any()
    with pytest.raises(InputError, match="`crf` must be as_run or none"):
        wsseg.load(run, crf="irn")


def test_labels_restrict_the_classes(saved, photographs):
    network, path = saved
    model, image = wsseg.load(path), pixels(photographs[0])
    found = model.predict(image, labels=["cat"])
    expected = np.asarray(restrict_to_labels(called(network, image), np.array([1, 0])))
    np.testing.assert_allclose(found.probabilities, expected, atol=1e-5)
    assert 2 not in found.mask and 2 in model.predict(image).mask
    assert not model.predict(image, labels=[]).mask.any()
    with pytest.raises(InputError, match="the model has no class `dgo`; did you mean `dog`"):
        model.predict(image, labels=["dgo"])
    with pytest.raises(InputError, match="can always be predicted"):
        model.predict(image, labels=["background"])


def test_a_network_of_one_size_takes_any(tmp_path, photographs):
    model = segmenter(input_size=(64, 64))
    model.save(tmp_path / "one.keras")
    loaded = wsseg.load(tmp_path / "one.keras")
    expected = called(model, pixels(photographs[0]))
    np.testing.assert_allclose(loaded.predict(photographs[0]).probabilities, expected, atol=1e-5)
    assert loaded.predict(photographs[1]).mask.shape == (37, 53) and loaded.classes == NAMES


@pytest.mark.parametrize(("activation", "input_size"), [(None, None), ("softmax", (64, 64))])
def test_a_classifier(tmp_path, photographs, activation, input_size):
    network = classifiers.create(
        "gap",
        backbone="tiny",
        num_classes=2,
        activation=activation,
        input_size=input_size,
        class_names=("a", "b"),
    )
    network.save(tmp_path / "classifier.keras")
    model = wsseg.load(tmp_path / "classifier.keras")
    first, second = model.predict([photographs[0], photographs[1]])
    expected = network(pixels(photographs[0])[None].astype("float32")).numpy()[0]
    assert (model.kind, first.classes, first.scores.dtype) == ("classifier", ("a", "b"), np.float32)
    np.testing.assert_allclose(first.scores, expected, rtol=1e-4, atol=1e-5)
    likely = expected if activation else 1 / (1 + np.exp(-expected))
    np.testing.assert_allclose(first.probabilities, likely, rtol=1e-4, atol=1e-5)
    assert second.scores.shape == (2,)
    np.testing.assert_allclose(model.predict(str(photographs[1])).scores, second.scores, rtol=1e-4, atol=1e-5)


def test_a_detector(tmp_path, photographs):
    keras.utils.set_random_seed(0)
    options = SMALL | {"least_score": 0.0}
    network = detectors.create("mask_rcnn", backbone="plain", num_classes=3, input_size=(64, 64), **options)
    network.save(tmp_path / "detector.keras")
    model = wsseg.load(tmp_path / "detector.keras")
    assert (model.kind, model.classes, model.named) == (
        "detector",
        ("background", "class 1", "class 2"),
        False,
    )
    first, second = model.predict([photographs[0], pixels(photographs[1])])
    found = network.predict_on_batch(pixels(photographs[0])[None].astype("float32"))
    count = len(first.class_ids)
    assert count > 0
    np.testing.assert_allclose(first.scores, found["scores"][0][:count], atol=1e-5)
    assert second.size_hw == (37, 53) and second.masks.shape[1:] == (37, 53)
    assert model.predict(photographs[1]).size_hw == (37, 53)


def test_a_run_of_a_detector_alone(tmp_path):
    network = detectors.create("mask_rcnn", backbone="plain", num_classes=2, input_size=(32, 32), **SMALL)
    run = tmp_path / "run"
    (run / "5_detect").mkdir(parents=True)
    network.save(run / "5_detect/detector.keras")
    owner = {"name": "mine", "file": None, "overrides": [], "options": to_plain(Recipe())}
    write_json(run / "recipe.json", owner)
    assert wsseg.load(run).kind == "detector"


def test_what_cannot_be_loaded(tmp_path, saved):
    with pytest.raises(InputError, match="absent does not exist; give a run folder"):
        wsseg.load(tmp_path / "absent")
    with pytest.raises(InputError, match=r"is not a run folder: it has no recipe\.json"):
        wsseg.load(tmp_path)
    write_json(tmp_path / "recipe.json", {"name": "mine", "file": None, "overrides": []})
    with pytest.raises(InputError, match=r"has no trained segmenter yet \(no 5_segment/segmenter\.keras\)"):
        wsseg.load(tmp_path)
    options = to_plain(Recipe()) | {"segmnt": {}}
    (tmp_path / "recipe.json").write_text(
        json.dumps({"name": "mine", "file": None, "overrides": [], "options": options})
    )
    with pytest.raises(InputError, match="unknown option `segmnt`; did you mean `segment`"):
        wsseg.load(tmp_path)
    image = keras.Input((8, 8, 3))
    keras.Model(image, keras.layers.Conv2D(2, 1)(image)).save(tmp_path / "other.keras")
    with pytest.raises(InputError, match="is no segmenter, classifier or detector of wsseg"):
        wsseg.load(tmp_path / "other.keras")


def test_what_is_no_photograph(saved, tmp_path, photographs):
    model = wsseg.load(saved[1])
    with pytest.raises(
        InputError, match=r"must be a path or an array \(H, W, 3\) uint8 RGB; got \(2, 2, 3\) float64"
    ):
        model.predict(np.zeros((2, 2, 3)))
    with pytest.raises(InputError, match="give a list for several images"):
        model.predict(np.zeros((2, 8, 8, 3), np.uint8))
    with pytest.raises(InputError, match=r"absent\.png does not exist"):
        model.predict([photographs[0], tmp_path / "absent.png"])
    (tmp_path / "cut.png").write_bytes(photographs[0].read_bytes()[:500])
    with pytest.raises(InputError, match=r"cut\.png cannot be read"):
        model.predict(tmp_path / "cut.png")


def test_results_are_frozen(saved, photographs):
    found = wsseg.load(saved[1]).predict(photographs[0])
    with pytest.raises(dataclasses.FrozenInstanceError):
        found.mask = None


def test_the_package_names_load():
    assert "load" in dir(wsseg) and wsseg.load.__name__ == "load"
    with pytest.raises(AttributeError, match="no attribute `laod`"):
        _ = wsseg.laod
