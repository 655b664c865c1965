"""Self-training: the training images labelled anew by a segmenter that is held to their labels."""

import dataclasses

import keras
import numpy as np
import pytest
from small_run import network
from small_run.recipe import write_recipe

from wsseg.artifacts import read_mask, write_mask
from wsseg.datasets import Dataset
from wsseg.errors import InputError
from wsseg.file_names import SEGMENTER
from wsseg.recipe import RelabelConfig
from wsseg.recipe.reading import load_recipe
from wsseg.refiners import DenseCRF
from wsseg.saved_models import load_model
from wsseg.stages import plan, relabel, segment
from wsseg.stages.evaluate.stage import conventions
from wsseg.stages.relabel import relabelled
from wsseg.supervision.splits import Splits

IMAGE = np.zeros((2, 3, 3), np.uint8)


def test_only_the_classes_of_the_image_are_left():
    # Background, cat, dog; the image has a cat alone, so what looks like a dog is a cat.
    probabilities = np.array([[[0.6, 0.1, 0.3], [0.3, 0.1, 0.6], [0.0, 0.0, 1.0]]] * 2)
    mask = relabelled(IMAGE, probabilities, np.array([1, 0]), None, 0)
    assert mask.tolist() == [[0, 1, 1]] * 2 and mask.dtype == np.uint8
    assert relabelled(IMAGE, probabilities, np.array([0, 1]), None, 0).tolist() == [[0, 2, 2]] * 2
    assert not relabelled(IMAGE, probabilities, np.array([0, 0]), None, 0).any()


def test_present_classes_inherit_what_absent_ones_have_in_proportion_to_their_own():
    # Background, cat, cow, dog; no cow: 0.3 for cat and 0.1 for dog become 0.6 and 0.2.
    probabilities = np.array([[[0.2, 0.3, 0.4, 0.1]]])
    image, present = IMAGE[:1, :1], np.array([1, 0, 1])
    assert relabelled(image, probabilities, present, None, 0.59).tolist() == [[1]]
    assert relabelled(image, probabilities, present, None, 0.61).tolist() == [[255]]


def test_what_is_unsure_among_these_becomes_255():
    probabilities = np.array([[[0.8, 0.1, 0.1], [0.1, 0.9, 0.0], [0.4, 0.3, 0.3]]] * 2)
    # Of background and cat: 0.8, 0.9 and 0.6.
    assert relabelled(IMAGE, probabilities, np.array([1, 0]), None, 0.7).tolist() == [[0, 1, 255]] * 2


def test_the_crf_sees_the_present_classes_alone():
    seen = []

    def crf(image, probabilities):
        seen.append(probabilities)
        return probabilities[..., ::-1]

    probabilities = np.full((2, 3, 4), [0.2, 0.2, 0.2, 0.4])
    mask = relabelled(IMAGE, probabilities, np.array([0, 0, 1]), crf, 0)
    assert seen[0].shape == (2, 3, 2) and seen[0].dtype == np.float32
    np.testing.assert_allclose(seen[0], np.broadcast_to([0.2, 0.8], (2, 3, 2)), rtol=1e-5)
    assert not mask.any()  # the stand-in exchanges the two
    assert (relabelled(IMAGE, probabilities, np.array([0, 0, 1]), DenseCRF(), 0) == 3).all()


@pytest.fixture
def run(tmp_path, monkeypatch):
    network.register()
    monkeypatch.setenv("WSSEG_CACHE", str(tmp_path / "cache"))
    changes = {
        "dataset": {"options": {"size": 64, "train_images": 6, "val_images": 3}},
        "relabel": {"rounds": 2, "epochs": 1, "crf": {"preset": "none"}},
        "segment": {"epochs": 2},
    }
    recipe = load_recipe(write_recipe(tmp_path / "small.yaml", changes))
    train, _ = Splits(recipe, tmp_path / "data").checked("train", masks=True)
    for folder in ("label/masks", "relabel"):
        (tmp_path / folder).mkdir(parents=True)
    for record in train:
        write_mask(tmp_path / f"label/masks/{record.id}.png", train.read_mask(record))
    inputs = {"data": tmp_path / "data", "label": tmp_path / "label"}
    monkeypatch.setattr(Dataset, "read_mask", lambda *_: pytest.fail("a mask of the training split was read"))
    return recipe, train, inputs, tmp_path / "relabel"


@pytest.mark.slow
def test_each_round_learns_from_the_masks_of_the_one_before(run, monkeypatch):
    recipe, train, inputs, out = run
    learnt = []
    train_segmenter = relabel.train_segmenter

    def spied(recipe, inputs, folder, train, masks, set_aside, **rest):
        assert recipe.segment.epochs == 1
        learnt.append([masks(record) for record in train])
        return train_segmenter(recipe, inputs, folder, train, masks, set_aside, **rest)

    monkeypatch.setattr(relabel, "train_segmenter", spied)
    outcome = relabel.run(recipe, Splits(recipe, inputs["data"]), inputs, out)
    assert (outcome.counts["images"], outcome.counts["rounds"]) == (6, 2)
    for place, record in enumerate(train):
        given, first = (
            read_mask(path / f"masks/{record.id}.png") for path in (inputs["label"], out / "round_1")
        )
        np.testing.assert_array_equal(learnt[0][place], given)
        np.testing.assert_array_equal(learnt[1][place], first)
        final = read_mask(out / f"masks/{record.id}.png")
        there = {train.classes[number - 1] for number in np.unique(final) if number}
        assert final.shape == (64, 64) and there <= set(record.labels)
    one, other = (load_model(out / f"round_{number}" / SEGMENTER) for number in (1, 2))
    assert not np.array_equal(one.get_weights()[0], other.get_weights()[0])

    # Resumed with all but one mask there, only that one is made, by the network that was saved.
    kept = {path: path.stat().st_mtime_ns for path in out.rglob("*.png")}
    lost = out / f"masks/{train[0].id}.png"
    before = read_mask(lost)
    lost.unlink()
    keras.utils.set_random_seed(1)
    relabel.run(recipe, Splits(recipe, inputs["data"]), inputs, out)
    np.testing.assert_array_equal(read_mask(lost), before)
    assert all(path.stat().st_mtime_ns == time for path, time in kept.items() if path != lost)


def test_the_segmenter_learns_from_the_new_masks(run, monkeypatch):
    recipe, train, inputs, out = run
    seen = {}
    monkeypatch.setattr(segment, "train_segmenter", lambda *args, **_: seen.update(mask=args[4](train[0])))
    (out / "masks").mkdir()
    write_mask(out / f"masks/{train[0].id}.png", np.full((64, 64), 3, np.uint8))
    segment.run(recipe, Splits(recipe, inputs["data"]), inputs | {"relabel": out}, out)
    assert (seen["mask"] == 3).all()
    segment.run(recipe, Splits(recipe, inputs["data"]), inputs, out)
    np.testing.assert_array_equal(seen["mask"], read_mask(inputs["label"] / f"masks/{train[0].id}.png"))


def test_it_is_a_stage_only_if_there_are_rounds(run, tmp_path):
    recipe, *_ = run
    assert plan(recipe)[3:6] == ["label", "relabel", "segment"]
    assert "2 rounds" in conventions(recipe)["relabelled_masks"]
    without = dataclasses.replace(recipe, relabel=RelabelConfig())
    assert "relabel" not in plan(without) and conventions(without)["relabelled_masks"] == "none"
    for changes, message in (
        ({"rounds": -1}, "`relabel.rounds` must be 0"),
        ({"confidence": 1}, "`relabel.confidence`"),
        ({"epochs": 0}, "`relabel.epochs` must be 1"),
    ):
        with pytest.raises(InputError, match=message):
            load_recipe(write_recipe(tmp_path / "bad.yaml", {"relabel": changes}))
