import json

import numpy as np
import pytest

from wsseg.artifacts import ClassMaps, write_mask
from wsseg.datasets import Dataset, Record
from wsseg.metrics import ConfusionMatrix
from wsseg.recipe.reading import load_recipe
from wsseg.stages.evaluate import stage as evaluate

SIZE = (4, 10)


@pytest.fixture
def run(tmp_path):
    """Four images; maps that fall from left to right, truths of four columns; one has no label."""
    records = []
    for folder in ("propagate/maps", "label/masks"):
        (tmp_path / folder).mkdir(parents=True)
    for index in range(4):
        truth = np.zeros(SIZE, np.uint8)
        labels = ("dog",) if index else ()
        if labels:
            truth[:, :4] = 1
            falling = np.broadcast_to(np.linspace(1, 0.1, 10, dtype=np.float32), (1, *SIZE))
            ClassMaps(np.array([1]), falling, SIZE).save(tmp_path / f"propagate/maps/{index}.npz")
        write_mask(tmp_path / f"{index}.png", truth)
        write_mask(tmp_path / f"label/masks/{index}.png", truth)
        records.append(Record(str(index), tmp_path / f"{index}.png", labels, tmp_path / f"{index}.png"))
    inputs = {"propagate": tmp_path / "propagate", "label": tmp_path / "label"}
    return Dataset("test", "train", ("dog",), records), inputs


def recipe(*words):
    return load_recipe(
        overrides=[f"--{word}" for word in ["label.workers=1", "label.crf.preset=none", *words]]
    )


def expected(columns):
    """mIoU with `columns` of ten labelled as the object in three images; the fourth is rightly background."""
    hit, wrong = min(columns, 4), max(columns - 4, 0)
    missed = 4 - hit
    dog = hit / (4 + wrong)
    background = (3 * (6 - wrong) + 10) / (3 * (6 + missed) + 10)
    return (dog + background) / 2


def test_class_maps_at_the_level_in_use_and_at_every_other(run):
    train, inputs = run
    words = ["evaluate.levels=[0.15,0.65]"]
    row, curve = evaluate.score_class_maps(
        recipe(*words), train, inputs["propagate"], {"level": 0.45, "rule": "fixed"}
    )
    assert row["miou"] == pytest.approx(expected(6))
    assert (row["split"], row["images"], row["threshold"], row["rule"]) == ("train", 4, 0.45, "fixed")
    assert row["oracle"] == {"threshold": 0.65, "miou": pytest.approx(1.0)}
    assert curve == [(level, pytest.approx(expected(n))) for level, n in ((0.15, 9), (0.45, 6), (0.65, 4))]


def test_class_maps_of_a_power_background_have_no_curve(run):
    train, inputs = run
    words = ["label.background=power", "label.threshold.level=4", "evaluate.oracle_levels=[]"]
    row, curve = evaluate.score_class_maps(
        recipe(*words), train, inputs["propagate"], {"level": 4.0, "rule": "fixed"}
    )
    # Foreground where x > (1 - x)^4: from x = 0.3 up (0.3 > 0.24, 0.2 < 0.41): eight columns.
    assert row["miou"] == pytest.approx(expected(8))
    assert curve is None and row["oracle"] is None


def test_the_oracle_of_the_pseudo_masks_makes_them_again(run):
    train, inputs = run
    images = {}
    threshold = {"level": 0.65, "rule": "fixed"}
    words = ["evaluate.oracle_levels=[0.45,0.95]"]
    row, curve = evaluate.score_pseudo_masks(recipe(*words), train, inputs, threshold, images)
    assert row["miou"] == 1.0 and set(images["pseudo_masks"].values()) == {1.0}
    assert curve == [(0.45, pytest.approx(expected(6))), (0.65, 1.0), (0.95, pytest.approx(expected(1)))]
    assert row["oracle"] == {"threshold": 0.65, "miou": 1.0}
    row, curve = evaluate.score_pseudo_masks(
        recipe("evaluate.oracle_levels=[]"), train, inputs, threshold, {}
    )
    assert row["oracle"] is None and curve == []


def test_unsure_pixels_are_misses_but_the_oracle_is_sure(run):
    train, inputs = run
    for index in range(1, 4):
        mask = np.zeros(SIZE, np.uint8)
        mask[:, :2], mask[:, 2:4] = 1, 255
        write_mask(inputs["label"] / f"masks/{index}.png", mask)
    words = ["label.unsure=0.1", "evaluate.oracle_levels=[0.45]"]
    row, curve = evaluate.score_pseudo_masks(
        recipe(*words), train, inputs, {"level": 0.65, "rule": "fixed"}, {}
    )
    assert row["iou"] == {"background": 1.0, "dog": 0.5}
    assert curve == [(0.45, pytest.approx(expected(6))), (0.65, pytest.approx(1.0))]


def test_truths_that_are_all_ignored(run, tmp_path):
    train, inputs = run
    for record in train:
        write_mask(record.mask, np.full(SIZE, 255, np.uint8))
    threshold = {"level": 0.65, "rule": "fixed"}
    for row, curve in (
        evaluate.score_class_maps(recipe(), train, inputs["propagate"], threshold),
        evaluate.score_pseudo_masks(recipe(), train, inputs, threshold, {}),
    ):
        assert row["miou"] is None and row["oracle"] is None and not curve
        json.dumps(row, allow_nan=False)


def test_an_images_own_score_and_the_sum():
    total = ConfusionMatrix(2)
    assert evaluate.add(total, np.array([[0, 1]]), np.array([[0, 0]])) == pytest.approx(0.25)
    assert evaluate.add(total, np.array([[1, 1]]), np.array([[1, 1]])) == 1.0
    assert evaluate.add(total, np.array([[1, 1]]), np.array([[255, 255]])) is None
    assert total.matrix.tolist() == [[1, 1], [0, 2]]


@pytest.mark.parametrize(
    ("weak", "full", "share"), [(0.5, 0.625, "0.80"), (0.5, 0.0, None), (None, None, None)]
)
def test_the_line_of_the_stage(weak, full, share):
    scores = {
        "class_maps": {"miou": 0.25},
        "pseudo_masks": None,
        "segmenter": {"miou": weak, "supervision": "pseudo_masks"},
        "ceiling": {"miou": full, "supervision": "masks"},
        "conventions": {"seed": "0"},
    }
    line = evaluate.summary(scores)
    assert line.startswith("mIoU: class maps 0.250")
    assert line.endswith(f"segmenter / ceiling {share}") if share else "/" not in line


def test_conventions_say_where_the_level_comes_from():
    assert "fixed at 0.25" in evaluate.conventions(recipe())["threshold"]
    words = ["label.threshold.rule=calibration", "label.threshold.split"]
    other, same = (evaluate.conventions(recipe(words[0], f"{words[1]}={split}")) for split in ("more", "val"))
    assert "split `more`" in other["threshold"] and "too" not in other["threshold"]
    assert same["threshold"].endswith("the segmenter is also scored on that split")
