"""The validation values of each epoch: against loops, and without a trace in what is trained."""

import math
import types

import keras
import numpy as np
import pytest
import tensorflow as tf
from examples.segmenters import NUM_CLASSES, SceneBatches, small
from references.average_precision import average_precision
from references.confusion import iou
from small_run import network
from small_run.recipe import write_recipe

from wsseg import classifiers, losses
from wsseg.datasets import Dataset
from wsseg.file_names import CLASSIFIER
from wsseg.loading.training_batches import TrainingBatches
from wsseg.recipe import ClassifyConfig, Recipe, SegmentConfig, TeacherConfig, TrainingConfig
from wsseg.recipe.reading import load_recipe
from wsseg.saved_models import load_model
from wsseg.stages import segment
from wsseg.stages.classify import stage as classify
from wsseg.stages.classify.train_classifier import Examples
from wsseg.supervision.splits import Splits
from wsseg.training import validation_curve
from wsseg.training.fitting import fit
from wsseg.training.history import read_history
from wsseg.training.mean_teacher import MeanTeacher
from wsseg.training.validation import (
    Validation,
    evenly_spaced,
    validate_classifier,
    validate_segmenter,
)
from wsseg.training.validation_curve import ValidationCurve


@pytest.fixture(scope="module", autouse=True)
def tiny_backbone():
    network.register()


@pytest.fixture(scope="module")
def cache(tmp_path_factory):
    return tmp_path_factory.mktemp("cache")


@pytest.fixture
def splits(tmp_path, monkeypatch, cache):
    """Return the splits of the small recipe on eight scenes, six of them for validation."""
    monkeypatch.setenv("WSSEG_CACHE", str(cache))

    def build(**sections):
        dataset = {"options": {"size": 64, "train_images": 8, "val_images": 6}}
        recipe = load_recipe(write_recipe(tmp_path / "small.yaml", {"dataset": dataset} | sections))
        return Splits(recipe, tmp_path / "data")

    return build


def test_the_images_are_spread_over_the_ids(splits):
    records = list(splits().open("val"))
    ids = sorted(record.id for record in records)
    assert [record.id for record in evenly_spaced(records[::-1], 3)] == [ids[0], ids[2], ids[4]]
    assert [record.id for record in evenly_spaced(records, 99)] == ids
    assert evenly_spaced(records, 0) == []


def test_a_classifier_is_measured_by_the_order_of_its_scores(splits):
    val = splits().open("val")
    model = classifiers.create("gap", backbone="tiny", num_classes=6, output_stride=8)
    found = validate_classifier(model, val, ClassifyConfig(long_side=(64, 64))).measure()
    scores = np.stack([model(val.read_image(r)[None].astype(np.float32))[0].numpy() for r in val])
    truth = np.stack([val.label_vector(record) for record in val])
    expected = [average_precision(scores[:, k], truth[:, k]) for k in range(6) if truth[:, k].any()]
    assert set(found) == {"val_map"} and found["val_map"] == pytest.approx(np.mean(expected))
    assert 0 < found["val_map"] < 1


def test_a_segmenter_is_measured_by_labels_alone_or_by_masks_too(splits, monkeypatch):
    val = splits().open("val", masks=True)
    model, _ = small("fpn")
    config = SegmentConfig(long_side=(64, 64), validation_images=4)
    chosen = evenly_spaced(list(val), 4)
    logits = [model(val.read_image(r)[None].astype(np.float32))[0] for r in chosen]
    scores = np.stack([tf.nn.softmax(one).numpy()[..., 1:].max((0, 1)) for one in logits])
    truth = np.stack([val.label_vector(record) for record in chosen])
    expected = [average_precision(scores[:, k], truth[:, k]) for k in range(6) if truth[:, k].any()]
    masks = np.stack([val.read_mask(record) for record in chosen])
    each = iou(np.stack([one.numpy().argmax(-1) for one in logits]), masks, NUM_CLASSES)
    miou = np.mean([one for one in each if one is not None])
    found = validate_segmenter(model, val, config, masks=True)
    assert found.score == "val_miou" and found.pixels == 4 * 64 * 64
    values = found.measure()
    assert values == pytest.approx({"val_label_map": np.mean(expected), "val_miou": miou})

    monkeypatch.setattr(Dataset, "read_mask", lambda *_: pytest.fail("a mask was read"))
    weak = validate_segmenter(model, val, config, masks=False)
    assert weak.score == "val_label_map"
    assert weak.measure() == {"val_label_map": values["val_label_map"]}


def test_a_larger_image_is_reduced_to_the_largest_side_of_the_training(splits):
    val = splits().open("val")
    model = classifiers.create("gap", backbone="tiny", num_classes=6, output_stride=8)
    assert validate_classifier(model, val, ClassifyConfig(long_side=(32, 48))).pixels == 6 * 48 * 48


def test_nothing_to_measure(splits):
    val = splits().open("val")
    model = classifiers.create("gap", backbone="tiny", num_classes=6, output_stride=8)
    assert validate_classifier(model, val, ClassifyConfig(validation_images=0)) is None
    unlabelled = val.with_labels({record.id: () for record in val})
    assert validate_classifier(model, unlabelled, ClassifyConfig()) is None
    segmenter, _ = small("fpn")
    assert validate_segmenter(segmenter, unlabelled, SegmentConfig(), masks=False) is None


def test_a_weakly_supervised_segmenter_gets_no_validation_mask(splits):
    weak, full = splits(), splits(segment={"train_on": "true_masks"})
    assert all(record.mask is None for record in segment.validation_data(weak.recipe, weak))
    assert all(record.mask for record in segment.validation_data(full.recipe, full, masks=True))
    none = splits(segment={"validation_images": 0})
    assert segment.validation_data(none.recipe, none) is None


class Batches:
    """Four batches of two images: 16 images of 32 x 32 pixels cost 3 * 8 * 1024 an epoch."""

    steps, batch_size = 4, 2


@pytest.mark.parametrize(
    ("pixels", "statistics", "norm", "every"),
    [
        # An epoch costs 3 * 4 * 2 * 1024 = 24,576.
        (2457, 0, True, 1),  # ten points cost 24,570
        (2458, 0, True, 2),  # 24,580
        (2458, 50, False, 2),  # without batch norm no statistics are measured
        (2457, 50, True, 5),  # four batches for the statistics cost 8,192: ten points cost 106,490
        (2457, 1, True, 2),  # one batch costs 2,048: 45,050
    ],
)
def test_a_point_costs_a_tenth_of_the_training_at_most(pixels, statistics, norm, every):
    layer = keras.layers.BatchNormalization() if norm else keras.layers.ReLU()
    model = keras.Sequential([keras.Input((4,)), layer])
    config = TrainingConfig(crop=32, epochs=12, statistics_batches=statistics)
    validation = Validation(("x",), dict, pixels)
    assert ValidationCurve(model, Batches(), config, 0, validation).every == every


def test_there_is_a_point_after_every_nth_epoch_and_after_the_last():
    model = keras.Sequential([keras.Input((4,)), keras.layers.ReLU()])
    config = TrainingConfig(crop=32, epochs=11)
    validation = Validation(("x",), lambda: {"x": 0.5}, 2458 * 2)
    curve = ValidationCurve(model, Batches(), config, 0, validation)
    assert curve.every == 3
    assert [epoch + 1 for epoch in range(11) if curve.after(epoch)] == [3, 6, 9, 11]


class Noise:
    """Random images and labels, other ones each epoch."""

    steps, batch_size = 3, 16

    def epoch(self, number):
        random = np.random.default_rng([5, number])
        images = random.normal(3, 2, (3, 16, 8, 8, 3)).astype(np.float32)
        return tf.data.Dataset.from_tensor_slices((images, (images.mean((2, 3, 4)) > 3)[..., None]))


def test_it_measures_the_network_that_the_training_would_give_not_lagging_averages(tmp_path):
    """After six steps at a momentum of 0.99 the averages are 0.94 of where they started."""
    gaps = {}
    for most in (0, 50):
        keras.utils.set_random_seed(0)
        image = keras.Input((8, 8, 3))
        tensor = keras.layers.BatchNormalization()(keras.layers.Conv2D(4, 3)(image))
        tensor = keras.layers.Dense(1)(keras.layers.GlobalAveragePooling2D()(keras.layers.ReLU()(tensor)))
        model = keras.Model(image, tensor)
        images = next(iter(Noise().epoch(20)))[0]

        def gap(model=model, images=images):
            inference = model(images, training=False).numpy()
            off = np.abs(model(images, training=True).numpy() - inference).mean() / inference.std()
            return {"val_gap": float(off)}

        config = TrainingConfig(crop=32, epochs=2, learning_rate=0.01, statistics_batches=most)
        (tmp_path / str(most)).mkdir()
        recipe = types.SimpleNamespace(seed=3, jit=False)
        loss = keras.losses.BinaryCrossentropy(from_logits=True)
        validation = Validation(("val_gap",), gap, 0)
        fit(recipe, config, model, Noise(), [], tmp_path / str(most), "training", loss, validation)
        gaps[most] = read_history(tmp_path / str(most) / "history.csv")["val_gap"]
    assert math.isnan(gaps[50][0]) and not math.isnan(gaps[50][1])
    assert gaps[50][1] < 0.2 * gaps[0][1]


def test_a_classifier_comes_out_the_same_with_and_without_the_curve(splits, tmp_path, monkeypatch):
    monkeypatch.setattr(validation_curve, "SHARE", 0)  # a point after every epoch
    models, histories = {}, {}
    for images in (0, 4):
        options = {"head": "nin", "options": {"channels": 16}, "epochs": 2, "validation_images": images}
        opened = splits(classify=options)
        out = tmp_path / str(images)
        out.mkdir()
        classify.run(opened.recipe, opened, {}, out)
        models[images], histories[images] = load_model(out / CLASSIFIER), read_history(out / "history.csv")
    for one, other in zip(models[0].get_weights(), models[4].get_weights(), strict=True):
        assert one.tobytes() == other.tobytes()
    assert histories[0]["loss"] == histories[4]["loss"]
    assert set(histories[4]) - set(histories[0]) == {"val_map"}
    assert all(0 < value <= 1 for value in histories[4]["val_map"])


@pytest.mark.slow
@pytest.mark.parametrize("most", [2, 0])
def test_a_taught_segmenter_comes_out_the_same(splits, tmp_path, monkeypatch, most):
    """A mean teacher, whose weights the measured segmenter has for a moment."""
    monkeypatch.setattr(validation_curve, "SHARE", 0)
    weights, values = [], []
    for images in (0, 6):
        opened = splits()
        keras.utils.set_random_seed(0)
        model, _ = small("fpn")
        config = SegmentConfig(
            epochs=2, learning_rate=0.05, statistics_batches=most, crop=64, validation_images=images
        )
        teacher = TeacherConfig(weight=1.0, confidence=0.1, warm_up=0)
        taught = MeanTeacher(model, model.with_auxiliary(), teacher, 4, hold=False)
        validation = validate_segmenter(model, opened.open("val", masks=True), config, masks=True)
        out = tmp_path / str(images)
        out.mkdir()
        loss = losses.create("cross_entropy")
        fit(Recipe(), config, taught, SceneBatches(True), [], out, "training", loss, validation)
        weights.append([*model.get_weights(), *taught.trained.get_weights(), *taught.teacher.get_weights()])
        values.append(read_history(out / "history.csv"))
    assert len(weights[0]) == len(weights[1])
    for one, other in zip(*weights):
        assert one.tobytes() == other.tobytes()
    assert values[0]["loss"] == values[1]["loss"] and "val_miou" not in values[0]
    # The last point measures what the training ends with, but for the batches of the statistics.
    if not most:
        last = validate_segmenter(model, opened.open("val", masks=True), config, masks=True).measure()
        assert values[1]["val_miou"][-1] == last["val_miou"]


def test_batches_state_their_size(splits):
    opened = splits()
    batches = TrainingBatches(opened.open("train"), opened.recipe.classify, 0)
    assert batches.batch_size == 4 == Examples(batches, None).batch_size
