import json
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from wsseg.artifacts import ClassMaps, write_mask
from wsseg.datasets import Dataset, Record
from wsseg.errors import InputError
from wsseg.recipe.reading import load_recipe
from wsseg.stages.label import crf_search, pseudo_masks
from wsseg.stages.label.background_level import choose_level
from wsseg.supervision.splits import Splits

SIZE = (8, 10)


@pytest.fixture
def images(tmp_path):
    """Three images whose class map falls from left to right, and whose object is the left four columns."""
    records = []
    (tmp_path / "maps").mkdir()
    for index in range(3):
        image, mask = tmp_path / f"{index}.png", tmp_path / f"mask {index}.png"
        Image.fromarray(np.random.default_rng(index).integers(0, 256, (*SIZE, 3), np.uint8)).save(image)
        truth = np.zeros(SIZE, np.uint8)
        truth[:, :4] = 2
        write_mask(mask, truth)
        falling = np.broadcast_to(np.linspace(1, 0.1, 10, dtype=np.float32), (1, *SIZE))
        ClassMaps(np.array([2]), falling, SIZE).save(tmp_path / "maps" / f"{index}.npz")
        records.append(Record(f"{index}", image, ("dog",), mask))
    return Dataset("test", "some", ("cat", "dog"), records)


def config(*words):
    base = ["label.crf.preset=none", "label.workers=1"]
    return load_recipe(overrides=[f"--{word}" for word in [*base, *words]]).label


def test_a_pseudo_mask_at_a_level(images, tmp_path):
    mask = pseudo_masks.pseudo_mask(config(), 0.65, images[0], tmp_path / "maps")
    assert mask[0].tolist() == [2, 2, 2, 2, 0, 0, 0, 0, 0, 0]  # 1, 0.9, 0.8, 0.7, 0.6 ...


def test_unsure_pixels_lie_between_two_levels(images, tmp_path):
    mask = pseudo_masks.pseudo_mask(config("label.unsure=0.2"), 0.55, images[0], tmp_path / "maps")
    assert mask[0].tolist() == [2, 2, 2, 255, 255, 255, 255, 0, 0, 0]  # above 0.75; below 0.35
    sure = pseudo_masks.pseudo_mask(
        config("label.unsure=0.2"), 0.55, images[0], tmp_path / "maps", unsure=False
    )
    assert sure[0].tolist() == [2, 2, 2, 2, 2, 0, 0, 0, 0, 0]


def test_an_image_without_labels_is_background(images, tmp_path):
    mask = pseudo_masks.pseudo_mask(config(), 0.25, replace(images[0], labels=()), tmp_path / "none")
    assert mask.shape == SIZE and not mask.any()


def test_levels_are_scored_by_hand(images, tmp_path):
    """Four columns of ten are the object; a level between two steps of the ramp takes n columns."""
    curve = pseudo_masks.score_levels(config(), [0.65, 0.45, 0.95], images, tmp_path / "maps", "test")
    by_columns = {4: 1.0, 6: (4 / 6 + 4 / 6) / 2, 1: (1 / 4 + 6 / 9) / 2}
    assert curve == [
        (0.65, pytest.approx(by_columns[4])),
        (0.45, pytest.approx(by_columns[6])),
        (0.95, pytest.approx(by_columns[1])),
    ]


def test_levels_are_the_same_in_worker_processes(images, tmp_path):
    levels = [0.65, 0.45]
    alone = pseudo_masks.score_levels(config(), levels, images, tmp_path / "maps", "test")
    assert (
        pseudo_masks.score_levels(config("label.workers=2"), levels, images, tmp_path / "maps", "test")
        == alone
    )


def test_nothing_to_score_gives_no_curve(images, tmp_path):
    for record in images:
        write_mask(record.mask, np.full(SIZE, 255, np.uint8))
    assert pseudo_masks.score_levels(config(), [0.5], images, tmp_path / "maps", "test") == []
    assert pseudo_masks.score_levels(config(), [0.5], images.without_masks(), tmp_path / "maps", "test") == []


def test_rules_that_need_no_masks(images, tmp_path):
    recipe = load_recipe(overrides=["--label.threshold.level=0.4"])
    assert choose_level(recipe, Splits(recipe), tmp_path, images) == {"rule": "fixed", "level": 0.4}
    recipe = load_recipe(overrides=["--label.threshold.rule=otsu"])
    chosen = choose_level(recipe, Splits(recipe), tmp_path, images.without_masks())
    assert chosen["rule"] == "otsu" and 0.4 < chosen["level"] < 0.7  # between the ramp's halves
    json.dumps(chosen)


def test_an_error_in_a_worker_process_reaches_the_user(images, tmp_path):
    (tmp_path / "maps/1.npz").write_bytes(b"broken")
    with pytest.raises(InputError, match=r"class maps .*1\.npz cannot be read"):
        pseudo_masks.score_levels(config("label.workers=2"), [0.5], images, tmp_path / "maps", "test")


def test_the_crf_is_searched_for_and_a_search_goes_on_where_it_stopped(images, tmp_path, monkeypatch):
    """Scores stand in for the CRF here; a real search is among the slow end-to-end tests."""
    options = config(
        "label.threshold.rule=calibration",
        "label.threshold.split=val",
        "label.crf.preset=irn",
        "label.crf_search={rounds: 2, bilateral_weight: [4], bilateral_sxy: [10, 40], bilateral_srgb: [3, 5]}",
    )
    asked = []

    def scores(choices, *_):
        asked.extend(choices)
        if len(asked) > 4 and len(asked) != len(choices):
            raise KeyboardInterrupt
        return [1 / (1 + abs(one.crf.parameters["bilateral_sxy"] - 24)) for one, _ in choices]

    monkeypatch.setattr(crf_search, "score_choices", scores)
    with pytest.raises(KeyboardInterrupt):
        crf_search.search_crf(options, 0.3, images, tmp_path, tmp_path)
    done = json.loads((tmp_path / "crf_search.json").read_text())
    assert [tuple(row["parameters"].values()) for row in done] == [
        (4, 10, 3),
        (4, 10, 5),
        (4, 40, 3),
        (4, 40, 5),
    ]
    asked.clear()
    found = crf_search.search_crf(options, 0.3, images, tmp_path, tmp_path)
    # 10 is as near to 24 as any value of the first round is; the second one has 10 times the root of 4.
    assert found["bilateral_sxy"] == 20 and found["bilateral_weight"] == 4
    assert {level for _, level in asked} == {0.3}
    again = {tuple(one.crf.parameters.values()) for one, _ in asked}
    assert not again & {tuple(row["parameters"].values()) for row in done} and len(again) == len(asked)
    assert pseudo_masks.dense_crf(asked[0][0].crf).bilateral_sxy in (5, 10, 20)


def test_parameters_of_the_crf_are_those_of_the_recipe():
    crf = pseudo_masks.dense_crf(
        config("label.crf.preset=irn", "label.crf.parameters={bilateral_sxy: 33}").crf
    )
    assert (crf.bilateral_sxy, crf.bilateral_srgb) == (33, 5)
