"""Images of 30 sizes on every path: few traces, and the result that each image has alone, without a graph."""

import warnings
from contextlib import contextmanager
from dataclasses import replace

import keras
import numpy as np
import pytest
import tensorflow as tf
from examples.traces import traces_of
from PIL import Image
from small_run import network

from wsseg import affinity, classifiers, explainers, segmenters
from wsseg.artifacts import ClassMaps, read_mask
from wsseg.commands.classifiers import LoadedModel
from wsseg.commands.photographs import look, maps_of
from wsseg.commands.predict import predicted
from wsseg.datasets import Dataset, Record
from wsseg.detectors.inference import detect
from wsseg.explainers.multi_scale import MultiScale
from wsseg.inference.models import LoadedClassifier, LoadedSegmenter
from wsseg.inference.photographs import Photographs
from wsseg.loading.padded_batches import padded_size
from wsseg.one_trace import one_trace
from wsseg.places.removal_scores import RemovalScores
from wsseg.recipe import LocalizeConfig, PropagateConfig, Recipe
from wsseg.segmenters.inference import Predictor
from wsseg.stages import relabel
from wsseg.stages.classify.train_classifier import score_images
from wsseg.stages.evaluate import stage as evaluate
from wsseg.stages.localize import write_maps
from wsseg.stages.propagate import walk

SIZES = [(40 + 5 * i, 50 + 37 * i % 150) for i in range(30)]
CHECKED = (0, 13, 29)
SCALES = (1.0, 1.5)


@pytest.fixture(scope="module")
def dataset(tmp_path_factory):
    random, records = np.random.default_rng(0), []
    folder = tmp_path_factory.mktemp("tiles")
    for index, size_hw in enumerate(SIZES):
        coarse = Image.fromarray(random.integers(0, 256, (5, 5, 3), np.uint8))
        coarse.resize(size_hw[::-1], Image.Resampling.BILINEAR).save(folder / f"{index}.png")
        labels = (("a",), ("b",), ("a", "b"))[index % 3]
        records.append(Record(str(index), folder / f"{index}.png", labels))
    return Dataset("tiles", "train", ("a", "b"), records)


@pytest.fixture(scope="module")
def classifier():
    network.register()
    return randomised(classifiers.create("gap", backbone="tiny", num_classes=2))


@pytest.fixture(scope="module")
def segmenter():
    network.register()
    options = {"backbone": "tiny", "channels": 8, "head_channels": 8}
    return randomised(segmenters.create("fpn", num_classes=3, **options))


def randomised(model):
    random = np.random.default_rng(0)
    for weight in model.weights:
        if weight.name in ("kernel", "depthwise_kernel"):
            fan = np.prod(weight.shape[:-1])
            weight.assign(random.normal(0, np.sqrt(2 / fan), weight.shape))
    return model


def of(dataset, index):
    return Dataset(dataset.name, dataset.split, dataset.classes, [dataset[index]])


@contextmanager
def without_graphs():
    with warnings.catch_warnings(action="ignore"):  # that tf.data has graphs all the same
        tf.config.run_functions_eagerly(True)
        yield
        tf.config.run_functions_eagerly(False)


def check(model, path, dataset, traces=1, atol=1e-4):
    """Assert that a path over all images traces the model so often, and gives what each image has alone."""
    with traces_of(model) as shapes:
        found = path(dataset)
    assert 1 <= len(shapes) <= traces, shapes
    assert len(found) == len(SIZES)
    assert np.ptp(np.concatenate([np.ravel(x) for x in found])) > 100 * atol  # the tolerance means something
    with traces_of(model) as shapes, without_graphs():
        for index in CHECKED:
            (expected,) = path(of(dataset, index))
            assert np.shape(found[index]) == np.shape(expected)
            np.testing.assert_allclose(found[index], expected, atol=atol, rtol=1e-3)
    assert not shapes


def test_the_sizes_differ_padded_too():
    assert len(set(SIZES)) == 30 and len({padded_size(size, 64) for size in SIZES}) >= 9


def test_scores_of_whole_images(dataset, classifier):
    def path(dataset):
        records, scores = score_images(classifier, dataset, "scores")
        return [scores[[r.id for r in records].index(record.id)] for record in dataset]

    check(classifier, path, dataset)


def test_classifying_photographs(dataset, classifier):
    model = LoadedClassifier(classifier, ("a", "b"), True)

    def path(dataset):
        return [model.predict(dataset.read_image(record)).scores for record in dataset]  # one call per image

    check(classifier, path, dataset)


@pytest.mark.parametrize("method", ["cam", "grad_cam"])
def test_class_maps(dataset, classifier, tmp_path, method):
    explain = MultiScale(explainers.create(method, model=classifier), SCALES, flip=True)

    def path(dataset):
        folder = tmp_path / str(len(dataset))
        write_maps(explain, dataset, folder, LocalizeConfig())
        return [ClassMaps.load(folder / f"{record.id}.npz").maps for record in dataset]

    check(classifier, path, dataset, traces=4, atol=5e-3)  # the files hold float16


def test_random_walks(dataset, tmp_path, monkeypatch):
    network.register()
    model = randomised(affinity.create("irn", backbone="tiny"))
    (tmp_path / "maps").mkdir()
    for record in dataset:
        size_hw = dataset.size_hw(record)
        cells = np.linspace(0, 1, -(-size_hw[0] // 4), dtype=np.float32)[None, :, None]
        maps = np.repeat(cells, -(-size_hw[1] // 4), axis=2)
        ClassMaps(np.array([1]), maps, size_hw).save(tmp_path / "maps" / f"{record.id}.npz")

    # The walk itself takes no graph, but time; what the network gives is written in its place.
    monkeypatch.setattr(walk, "walk", lambda config, maps, seen: np.moveaxis(seen, -1, 0)[:1])

    def path(dataset):
        folder = tmp_path / str(len(dataset))
        walk.walk_dataset(
            PropagateConfig(method="irn"), model, dataset, list(dataset), tmp_path / "maps", folder
        )
        return [ClassMaps.load(folder / f"{record.id}.npz").maps for record in dataset]

    check(model, path, dataset, atol=5e-3)


def test_segmenting_at_several_scales(dataset, segmenter):
    predictor = Predictor(segmenter, SCALES)

    def path(dataset):
        found = {record.id: probabilities for record, probabilities in predictor(dataset, dataset)}
        return [found[record.id] for record in dataset]

    check(segmenter, path, dataset)


def test_predicting_photographs(dataset, segmenter):
    model = LoadedSegmenter(segmenter, ("background", "a", "b"), True, Predictor(segmenter))

    def path(dataset):
        photographs = Photographs([record.image for record in dataset])
        found = {
            int(r.id): values for r, _, values in predicted(model, photographs, photographs, True, ["a"])
        }
        return [found[index] for index in range(len(dataset))]

    check(segmenter, path, dataset)


def test_relabelling(dataset, segmenter, tmp_path, monkeypatch):
    monkeypatch.setattr(relabel, "load_model", lambda path: segmenter)
    recipe = Recipe(name="tiles")
    crf = replace(recipe.relabel.crf, preset="none")
    recipe = replace(recipe, relabel=replace(recipe.relabel, crf=crf))

    def path(dataset):
        folder = tmp_path / str(len(dataset))
        folder.mkdir(exist_ok=True)
        relabel.relabel_images(recipe, dataset, tmp_path, folder, 1)
        return [read_mask(folder / f"{record.id}.png") for record in dataset]

    with traces_of(segmenter) as shapes:
        masks = path(dataset)
    assert len(shapes) == 1 and [mask.shape for mask in masks] == SIZES


def test_scoring_a_segmenter(dataset, segmenter, tmp_path, monkeypatch):
    monkeypatch.setattr(evaluate, "load_model", lambda path: segmenter)
    monkeypatch.setattr(evaluate, "prepare", lambda recipe: None)
    recipe = Recipe(name="tiles")
    with traces_of(segmenter) as shapes:
        evaluate.score_segmenter(recipe, dataset, tmp_path, tmp_path / "masks", {}, "segmenter")
    assert len(shapes) == 1
    assert [read_mask(tmp_path / "masks" / f"{record.id}.png").shape for record in dataset] == SIZES


def test_explaining_photographs(dataset, classifier):
    loaded = LoadedModel(classifier, lambda pixels: pixels, ("a", "b"))

    def path(dataset):
        return [maps_of(look(record.image, loaded), loaded, "grad_cam") for record in dataset]

    check(classifier, path, dataset, traces=4, atol=1e-3)  # one for the scores


@pytest.mark.parametrize(
    ("method", "options"),
    [
        ("grad_cam", {}),
        ("eigen_cam", {}),
        ("guided_backprop", {}),
        ("integrated_gradients", {"steps": 4}),
        ("score_cam", {}),
        ("occlusion", {"window": 32}),
        ("rise", {"samples": 8}),
    ],
)
def test_explaining_a_users_own_model(dataset, method, options):
    image = keras.Input((None, None, 3))
    tensor = keras.layers.Rescaling(1 / 255)(image)
    for channels in (4, 6):
        tensor = keras.layers.Conv2D(channels, 3, strides=4, padding="same", activation="relu")(tensor)
    model = keras.Model(image, keras.layers.Dense(2)(keras.layers.GlobalAveragePooling2D()(tensor)))
    explain = explainers.create(method, model=model, **options)

    def path(dataset):
        images = [dataset.read_image(record)[None].astype("float32") for record in dataset]
        return [explain(one, [1])[0] for one in images]

    with traces_of(model) as shapes:
        found = path(dataset)
    assert len(shapes) <= 8  # a graph of the features and one of the scores, or two passes in one graph
    if method != "guided_backprop":  # which replaces gradients in a graph
        with without_graphs():
            for index in CHECKED:
                np.testing.assert_allclose(found[index], path(of(dataset, index))[0], atol=2e-3)


def test_detecting(dataset):
    image = keras.Input((64, 64, 3))
    means = keras.layers.GlobalAveragePooling2D()(keras.layers.Conv2D(4, 3)(image))
    boxes = keras.layers.Reshape((1, 4))(means * 0 + np.float32([1, 2, 9, 8]))
    scores = keras.layers.Reshape((1,))(keras.ops.max(means, axis=-1, keepdims=True))
    model = keras.Model(image, {"boxes": boxes, "scores": scores, "classes": scores * 0 + 1})
    model.input_size = (64, 64)
    with traces_of(model) as shapes:
        found = list(detect(model, [dataset.read_image(record) for record in dataset], batch_size=4))
    assert len(found) == 30 and len(shapes) <= 1


def test_removing_parts(dataset, classifier):
    removal = RemovalScores(classifier, "sigmoid_logits", batch_size=2)

    def path(dataset):
        images = [dataset.read_image(record) for record in dataset]
        return [removal(x, np.indices(x.shape[:2])[:1] % 2 == 1, 0, 2)[0] for x in images]

    check(classifier, path, dataset, traces=4)


def test_what_the_network_fixes_stays_fixed():
    image = keras.Input((8, None, 3))
    run = one_trace(keras.Model(image, keras.layers.Conv2D(2, 3)(image)))
    assert run(np.zeros((2, 8, 5, 3), np.float32)).shape == (2, 6, 3, 2)
    with pytest.raises(TypeError):
        run(np.zeros((2, 9, 5, 3), np.float32))
