"""What a run says of itself where something looks wrong, by numbers that are worked out by hand."""

import dataclasses

import numpy as np
import pytest

from wsseg.artifacts import Manifest, write_mask
from wsseg.datasets import Dataset, Record
from wsseg.stages.evaluate import stage as evaluate
from wsseg.stages.warning_signs import (
    EmptyPredictions,
    classes_without_images,
    contradicted_labels,
    foreground_out_of_range,
    near_chance,
    unscored_classes,
)

HALF = np.array([[1, 0, 0], [0, 1, 0], [1, 0, 0], [0, 1, 0]])  # the third class has no image


@pytest.mark.parametrize(
    ("mean", "said"), [(0.3, True), (0.54, True), (0.56, False), (1.0, False), (None, False)]
)
def test_a_classifier_near_chance(mean, said):
    """Two classes of half the images: 0.5 is chance, and a tenth of the way from there to 1 is 0.55."""
    found = near_chance(mean, HALF)
    assert bool(found) is said
    if said:
        assert f"val mAP {mean:.3f} is near chance (0.500)" in found[0] and "`classify.epochs`" in found[0]


def test_labels_that_leave_nothing_to_tell_apart():
    assert near_chance(1.0, np.ones((3, 2))) == ()
    assert near_chance(None, np.zeros((3, 2))) == ()


@pytest.mark.parametrize(
    ("shares", "said"),
    [
        ([0.0, 0.002], "foreground is 0.1 % of the pixels"),
        ([0.0, 0.02], None),
        ([0.9, 0.9], None),
        ([1.0, 0.96], "foreground is 98.0 % of the pixels"),
        ([], None),
    ],
)
def test_pseudo_masks_of_one_kind_alone(shares, said):
    found = foreground_out_of_range(shares)
    assert [line[: len(said)] for line in found] == ([said] if said else [])


def signs(*predictions):
    """Return what is seen in predictions `(labels, ids)` of a dataset of cats, dogs and cows."""
    seen = EmptyPredictions(Dataset("test", "val", ("cat", "dog", "cow"), []))
    for index, (labels, ids) in enumerate(predictions):
        prediction = np.zeros((4, 4), np.uint8)
        prediction[0, : len(ids)] = ids
        seen.add(Record(str(index), None, labels), prediction)
    return seen.warnings("segmenter")


def test_predictions_that_are_all_background():
    (line,) = signs((("cat",), []), (("dog",), []), ((), []))
    assert line.startswith(
        "predictions of the segmenter are all background in 2 of 2 images that have a label;"
    )
    # One of three may have a tiny object; an image without a label is rightly empty.
    assert signs((("cat",), [1]), (("cat",), [1]), (("cat",), []), ((), [])) == ()
    assert len(signs((("cat",), [1]), (("cat",), []))) == 1


def test_classes_that_are_never_predicted():
    """There is no cow in the labels, so none need be predicted."""
    assert signs((("cat",), [1]), (("dog",), [1])) == (
        "class dog: never predicted by the segmenter, though validation images have it",
    )
    assert signs((("cat", "dog"), [3]))[0].startswith("classes cat, dog: never predicted")
    assert signs((("cat",), [1, 2]), (("dog",), [2])) == ()


@pytest.mark.parametrize("masks", [True, False])
def test_predictions_are_looked_at_with_true_masks_and_without(tmp_path, masks):
    (tmp_path / "predictions").mkdir()
    records = []
    for index in range(2):
        path = tmp_path / f"{index}.png"
        write_mask(path, np.ones((4, 4), np.uint8))
        write_mask(tmp_path / f"predictions/{index}.png", np.zeros((4, 4), np.uint8))
        records.append(Record(str(index), path, ("dog",), path if masks else None))
    val, images = Dataset("test", "val", ("dog",), records), {}
    recipe = evaluate.Recipe()
    row, seen = evaluate.score_segmenter(recipe, val, None, tmp_path / "predictions", images, "segmenter")
    assert (row is not None) is masks and ("segmenter" in images) is masks
    assert seen.empty == 2 and "2 of 2 images" in seen.warnings("segmenter")[0]


def test_a_manifest_from_before_there_were_warnings(tmp_path):
    manifest = Manifest("label", {}, {}, {}, {}, 1.0, False, 1.0, ["it looks wrong"])
    manifest.save(tmp_path)
    assert Manifest.load(tmp_path) == manifest
    text = (tmp_path / "manifest.json").read_text()
    old = text.replace("warnings", "another")
    assert old != text
    (tmp_path / "manifest.json").write_text(old)
    assert Manifest.load(tmp_path) == dataclasses.replace(manifest, warnings=[])


def test_classes_that_the_scores_say_nothing_about():
    scores = {
        "pseudo_masks": {"split": "train", "classes_without_truth": ["background"]},
        "segmenter": {"split": "val", "classes_without_truth": ["cat", "dog"]},
        "ceiling": {"split": "val", "classes_without_truth": ["cat", "dog"]},
        "class_maps": None,
        "conventions": {"seed": "0"},
    }
    assert unscored_classes(scores) == (
        "no true mask of split `val` has a scored pixel of cat, dog: the scores say nothing about them",
    )


def test_labels_that_masks_contradict(tmp_path):
    """Of three images, the mask of one has the other class, and that of another cannot be read."""
    records = []
    for name, value in (("a", 1), ("b", 1), ("c", 9)):
        image, mask = tmp_path / f"{name}.jpg", tmp_path / f"{name}.png"
        write_mask(image.with_suffix(".image.png"), np.zeros((4, 5), np.uint8))
        write_mask(mask, np.full((4, 5), value, np.uint8))
        labels = ("dog",) if name == "b" else ("cat",)
        records.append(Record(name, image.with_suffix(".image.png"), labels, mask))
    found = contradicted_labels(Dataset("folder", "val", ("cat", "dog", "cow"), records))
    assert len(found) == 1 and found[0].startswith(
        "masks of 1 of 3 images of split `val` contradict their labels, such as `b`: labelled `dog`, but its mask has "
        "`cat`;"
    )
    assert contradicted_labels(Dataset("voc", "val", ("cat", "dog"), records)) == ()
    dataset = Dataset("folder", "train", ("cat", "dog", "cow"), records)
    assert classes_without_images(dataset) == ("no training image has the label cow, so it cannot be learnt",)
    assert classes_without_images(Dataset("folder", "train", ("cat", "dog"), records)) == ()
