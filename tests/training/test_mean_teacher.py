"""The mean teacher against a step written out in NumPy, and on scenes most of which have no mask."""

import dataclasses

import keras
import numpy as np
import pytest
import tensorflow as tf
from examples.segmenters import NUM_CLASSES, scenes, small
from small_run import network
from small_run.recipe import write_recipe

from wsseg import losses, segmenters
from wsseg.artifacts import IGNORE, write_mask
from wsseg.datasets import Dataset
from wsseg.file_names import SEGMENTER
from wsseg.loading.training_batches import TrainingBatches
from wsseg.recipe import TeacherConfig
from wsseg.recipe.reading import load_recipe
from wsseg.saved_models import load_model
from wsseg.stages import segment
from wsseg.supervision.splits import Splits
from wsseg.training.history import read_history
from wsseg.training.mean_teacher import MeanTeacher, mixed

CONFIG = TeacherConfig(weight=0.5, momentum=0.9, confidence=0.3, warm_up=0)


def taught(config=CONFIG, hold=False, steps=10, rate=0.1, auxiliary=False):
    model, _ = small("pspnet" if auxiliary else "fpn")  # which has no dropout
    loss = losses.create("cross_entropy")
    trained = model.with_auxiliary()
    if auxiliary:
        loss = losses.WithAuxiliary(loss, NUM_CLASSES)
    teacher = MeanTeacher(model, trained, config, steps, hold)
    teacher.compile(optimizer=keras.optimizers.SGD(rate), loss=loss, jit_compile=False)
    return teacher


def batch(count=4, side=64):
    """Return images of which the first half has masks, the last an upper border of padding, and all labels."""
    images, masks = scenes(count, side)
    valid = np.ones((count, side, side), np.float32)
    valid[-1, :8] = 0
    labels = np.stack([np.isin(np.arange(1, NUM_CLASSES), mask) for mask in masks]).astype(np.float32)
    masks[count // 2 :] = IGNORE
    return (tf.constant(images), tf.constant(valid), tf.constant(labels)), tf.constant(masks)


def cross_entropy(labels, logits):
    """Mean over the labelled pixels, in float64."""
    logits = logits.astype(np.float64)
    costs = np.log(np.exp(logits - logits.max(-1, keepdims=True)).sum(-1)) + logits.max(-1)
    costs -= np.take_along_axis(logits, np.where(labels == IGNORE, 0, labels)[..., None], -1)[..., 0]
    known = labels != IGNORE
    return costs[known].mean() if known.any() else 0.0


def in_a_gap(values):
    """Return a threshold that parts values near their median, in the widest gap: no rounding moves one across."""
    middle = np.sort(values)[len(values) // 4 : -(len(values) // 4)]
    widest = np.diff(middle).argmax()
    assert middle[widest + 1] - middle[widest] > 1e-4
    return float(middle[widest : widest + 2].mean())


@pytest.mark.parametrize("hold", [False, True])
def test_the_loss_of_a_step_is_that_of_masks_and_confident_guesses(hold, monkeypatch):
    model = taught(hold=hold)
    (images, valid, labels), masks = batch()
    # The first image's mask is open at the left, and holds classes that its labels lack.
    masks, labels = masks.numpy(), labels.numpy()
    masks[0, :, :20], labels[0] = IGNORE, 0
    known = np.stack([np.isin(np.arange(1, NUM_CLASSES), mask) for mask in masks])
    assert known[0].any()
    box = np.zeros((4, 64, 64), bool)
    box[:, 20:50, 10:40] = True
    monkeypatch.setattr(model, "rectangles", lambda images: tf.constant(box))

    # The teacher sees whole images; what is confident and unsure and no padding is its to label.
    logits = model.teacher(images, training=False).numpy()
    found = np.exp(logits) / np.exp(logits).sum(-1, keepdims=True)
    if hold:  # by the definition, pixel by pixel
        for place, present in enumerate(np.maximum(labels, known)):
            on = np.append(False, present > 0)
            share = found[place][..., 1:].sum(-1) / found[place][..., on].sum(-1)
            found[place][..., on] *= share[..., None]
            found[place][..., np.append(False, present == 0)] = 0
    unsure = (masks == IGNORE) & (valid.numpy() > 0)
    confidence = in_a_gap(found.max(-1)[unsure])
    model.config = dataclasses.replace(CONFIG, confidence=confidence)
    guesses = np.where(unsure & (found.max(-1) >= confidence), found.argmax(-1), IGNORE)
    assert 0 < (guesses != IGNORE).sum() < unsure.sum()  # some are confident, some not
    assert (guesses[1] == IGNORE).all() and (guesses[0, :, 20:] == IGNORE).all()
    assert (guesses[-1, :8] == IGNORE).all()
    share = (guesses != IGNORE).sum() / unsure.sum()

    following = [1, 2, 3, 0]
    view = np.where(box[..., None], images.numpy()[following], images)
    own, further = (np.where(box, ids[following], ids) for ids in (masks, guesses))
    student = keras.models.clone_model(model.segmenter)
    student.set_weights(model.segmenter.get_weights())
    logits = student(view, training=True).numpy()
    expected = cross_entropy(own, logits) + 0.5 * share * cross_entropy(further, logits)
    logs = model.train_step(((images, valid, labels), masks))
    assert float(logs["loss"]) == pytest.approx(expected, rel=1e-4)
    assert float(logs["labelled_by_teacher"]) == pytest.approx(share, rel=1e-5)


def test_the_teacher_is_the_average_of_the_students_weights():
    model = taught()
    examples, masks = batch()
    means = [w.copy() for w in model.segmenter.get_weights()]
    learnt = {id(variable) for variable in model.segmenter.trainable_variables}
    averaged = [id(variable) in learnt for variable in model.segmenter.weights]
    assert any(averaged) and not all(averaged)  # the others are of batch normalisation
    for step in range(1, 4):
        model.train_step((examples, masks))
        momentum = min(0.9, 1 - 1 / (step + 1))
        means = [
            momentum * m + (1 - momentum) * w if average else w
            for m, w, average in zip(means, model.segmenter.get_weights(), averaged)
        ]
    for mean, found in zip(means, model.teacher.get_weights()):
        np.testing.assert_allclose(found, mean, atol=1e-5)
    assert any(np.abs(m - w).max() > 1e-3 for m, w in zip(means, model.segmenter.get_weights()))
    model.finish()
    for found, mean in zip(model.segmenter.get_weights(), model.teacher.get_weights()):
        np.testing.assert_array_equal(found, mean)


def test_while_it_warms_up_the_teacher_labels_nothing():
    model = taught(TeacherConfig(weight=1, confidence=0, warm_up=0.2))  # of 10 steps
    examples, masks = batch()
    shares = []
    for _ in range(3):
        model.reset_metrics()
        shares.append(float(model.train_step((examples, masks))["labelled_by_teacher"]))
    assert shares == [0, 0, 1]


def test_rectangles_are_half_the_image_and_lie_anywhere():
    model = taught()
    keras.utils.set_random_seed(0)
    boxes = np.concatenate([model.rectangles(tf.zeros((8, 64, 64, 3))).numpy() for _ in range(40)])
    assert boxes.mean((1, 2)) == pytest.approx(0.5, abs=0.03)
    assert np.ptp(boxes.any(2).sum(1)) > 20  # tall and wide ones
    seen = boxes.mean(0)  # no side is below half the image's, so its middle lies in all
    assert (seen > 0).mean() > 0.9 and seen[32, 32] == 1 and seen[8].max() < 0.7


def test_images_are_mixed_with_the_next_one():
    values = tf.constant([[[1, 1]], [[2, 2]], [[3, 3]]])
    box = tf.constant([[[True, False]], [[False, False]], [[True, True]]])
    assert mixed(values, box).numpy().tolist() == [[[2, 1]], [[2, 2]], [[1, 1]]]


def test_a_network_with_two_heads():
    model = taught(auxiliary=True)
    examples, masks = batch()
    before = model.segmenter.auxiliary.get_weights()[-1].copy()
    assert np.isfinite(float(model.train_step((examples, masks))["loss"]))
    assert not np.array_equal(model.segmenter.auxiliary.get_weights()[-1], before)


@pytest.fixture
def run(tmp_path, monkeypatch):
    network.register()
    monkeypatch.setenv("WSSEG_CACHE", str(tmp_path / "cache"))

    def prepared(**changes):
        sections = {
            "dataset": {"options": {"size": 64, "train_images": 24, "val_images": 6}},
            "supervision": {"masks_share": 0.25, "rest": "unlabelled"},
            "segment": {"teacher": {"weight": 1.0, "confidence": 0.4, "warm_up": 0.5}} | changes,
        }
        recipe = load_recipe(write_recipe(tmp_path / "small.yaml", sections))
        train, _ = Splits(recipe, tmp_path / "data").checked("train", masks=True)
        (tmp_path / "label/masks").mkdir(parents=True, exist_ok=True)
        given = [record.id for record in train][:6]
        for record in train.subset(given):
            write_mask(tmp_path / f"label/masks/{record.id}.png", train.read_mask(record))
        (tmp_path / "label/given_masks.json").write_text(str(given).replace("'", '"'))
        monkeypatch.setattr(Dataset, "read_mask", lambda *_: pytest.fail("a training mask was read"))
        return recipe, {name: tmp_path / name for name in ("data", "label")}

    return prepared


@pytest.mark.slow
def test_images_without_masks_train_a_segmenter_too(run, tmp_path):
    recipe, inputs = run(epochs=6, batch_size=4)
    (tmp_path / "out").mkdir()
    segment.run(recipe, Splits(recipe, inputs["data"]), inputs, tmp_path / "out")
    shares = read_history(tmp_path / "out/history.csv")["labelled_by_teacher"]
    assert shares[0] == 0 and shares[-1] > 0.1
    model = load_model(tmp_path / "out" / SEGMENTER)
    assert isinstance(model, segmenters.segmenter.Segmenter)
    images, masks = scenes(4, 64, "val")
    found = model.predict(images, verbose=0).argmax(-1)
    assert (found == masks)[masks == 0].mean() > 0.5


@pytest.mark.slow
def test_stopped_and_resumed_it_is_the_same_training(run, tmp_path, monkeypatch):
    recipe, inputs = run(epochs=2)
    folders = [tmp_path / name for name in ("whole", "halves")]
    for folder in folders:
        folder.mkdir()
    segment.run(recipe, Splits(recipe, inputs["data"]), inputs, folders[0])
    epoch = TrainingBatches.epoch

    def stopping(batches, number):
        if number == 1:
            raise KeyboardInterrupt
        return epoch(batches, number)

    monkeypatch.setattr(TrainingBatches, "epoch", stopping)
    with pytest.raises(KeyboardInterrupt):
        segment.run(recipe, Splits(recipe, inputs["data"]), inputs, folders[1])
    monkeypatch.setattr(TrainingBatches, "epoch", epoch)
    segment.run(recipe, Splits(recipe, inputs["data"]), inputs, folders[1])
    one, other = (load_model(folder / SEGMENTER).get_weights() for folder in folders)
    for a, b in zip(one, other):
        np.testing.assert_array_equal(a, b)
