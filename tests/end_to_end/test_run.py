"""All stages on the scenes: what a run leaves behind."""

import json
import re
from html.parser import HTMLParser

import numpy as np
import pytest
from PIL import Image

import wsseg
from wsseg.artifacts import ClassMaps, Manifest, read_mask
from wsseg.recipe.of_run import recipe_of_run
from wsseg.stages import STAGES
from wsseg.supervision.splits import Splits

CLASSES = ("background", "beetle", "weevil", "swordfish", "clownfish", "daisy", "sunflower")


PLAN = [name for name in STAGES if "detect" not in name and name != "relabel"]
"""The stages of the small recipe, which trains no detector and no second segmenter."""


def strictly(path):
    """JSON as others read it: NaN is none."""

    def refuse(constant):
        raise AssertionError(f"{constant} in {path}")

    return json.loads(path.read_text(), parse_constant=refuse)


@pytest.fixture(scope="module")
def scores(finished):
    return strictly(finished.folder / "6_evaluate/scores.json")


def test_every_stage_has_a_manifest_and_nothing_is_left_half_made(finished):
    for name in PLAN:
        stage = STAGES[name]
        content = strictly(finished.folder / stage.folder / "manifest.json")
        manifest = Manifest.load(finished.folder / stage.folder)
        assert manifest.stage == name and not manifest.resumed and manifest.set_aside == {}
        assert content["hash"] == manifest.hash and manifest.versions["keras"]
    assert not [
        path for path in finished.folder.rglob("*") if "partial" in path.name or path.suffix == ".old"
    ]
    assert not list(finished.folder.rglob("*checkpoint*"))


def test_a_line_is_printed_for_each_stage_then_table_and_report(finished):
    lines = finished.output.splitlines()
    for name in PLAN:
        stage = STAGES[name]
        said = [line for line in lines[:-4] if line.startswith(f"{name}: ")]
        assert len(said) == 1 and said[0].endswith(str(finished.folder / stage.folder)), name
    assert any("pseudo-masks" in line and "train" in line for line in lines)
    assert any("ceiling (true masks)" in line and "val" in line for line in lines)
    assert lines[-4:] == [
        f"masks: {finished.folder / '4_label/masks'}",
        f"model: {finished.folder / '5_segment/segmenter.keras'}",
        f"report: {(finished.folder / '7_report/report.html').resolve()}",
        f"predict: wsseg predict {finished.folder} PHOTOS --out DIR",
    ]
    assert lines[0] == f"plan of `small` in {finished.folder}:"
    assert lines[1].endswith("will run    train gap on tiny, 3 epochs of 24 images")


def test_scores_have_the_documented_form(scores):
    assert set(scores) == {
        "class_maps",
        "walked_maps",
        "pseudo_masks",
        "relabelled_masks",
        "segmenter",
        "ceiling",
        "conventions",
    }
    assert scores["walked_maps"] is scores["relabelled_masks"] is None  # neither is in this recipe
    measures = ("miou", "pixel_accuracy", "mean_class_accuracy", "frequency_weighted_iou")
    for name, split, images in (
        ("class_maps", "train", 24),
        ("pseudo_masks", "train", 24),
        ("segmenter", "val", 8),
        ("ceiling", "val", 8),
    ):
        row = scores[name]
        assert (row["split"], row["images"]) == (split, images)
        assert tuple(row["iou"]) == CLASSES
        assert all(0 <= row[measure] <= 1 for measure in measures)
        present = [value for value in row["iou"].values() if value is not None]
        assert row["miou"] == pytest.approx(np.mean(present))
    for name in ("class_maps", "pseudo_masks"):
        row = scores[name]
        assert (row["threshold"], row["rule"]) == (0.25, "fixed")
        assert set(row["oracle"]) == {"threshold", "miou"} and row["oracle"]["miou"] >= row["miou"]
    assert (scores["segmenter"]["supervision"], scores["ceiling"]["supervision"]) == ("pseudo_masks", "masks")


def test_scores_are_those_of_the_files(finished, scores, scenes_cache):
    """The mIoU of the stored pseudo-masks, counted by hand from the files."""
    truths = {path.stem: read_mask(path) for path in scenes_cache.glob("*/train/masks/*.png")}
    hits, union = np.zeros(7), np.zeros(7)
    for name, truth in truths.items():
        made = read_mask(finished.folder / f"4_label/masks/{name}.png")
        for k in range(7):
            hits[k] += np.sum((made == k) & (truth == k))
            union[k] += np.sum((made == k) | (truth == k))
    assert scores["pseudo_masks"]["miou"] == pytest.approx(np.mean(hits / union))


def test_maps_are_of_the_labels_present_and_masks_open_anywhere(finished):
    files = sorted((finished.folder / "2_localize/maps").iterdir())
    assert len(files) == 24
    speaking = 0
    for path in files:
        maps = ClassMaps.load(path)
        assert maps.size_hw == (64, 64) and maps.maps.shape == (len(maps.class_ids), 16, 16)
        peaks = maps.maps.max(axis=(1, 2))
        assert maps.maps.min() >= 0 and np.all((peaks == 0) | ((peaks > 0.9) & (peaks <= 1)))
        speaking += np.count_nonzero(peaks)
        mask = read_mask(finished.folder / f"4_label/masks/{path.stem}.png")
        assert set(np.unique(mask)) <= {0, *maps.class_ids.tolist()}
    assert speaking > 12
    with Image.open(finished.folder / "4_label/masks" / f"{files[0].stem}.png") as image:
        assert image.mode == "P" and image.getpalette()[3:6] == [128, 0, 0]


def test_the_run_predicts_new_photographs_as_it_is_scored(finished):
    model = wsseg.load(finished.folder)
    assert (model.classes, model.named) == (CLASSES, True)
    for name, classes in (("1_classify/classifier", CLASSES[1:]), ("5_segment_ceiling/segmenter", CLASSES)):
        assert wsseg.load(finished.folder / f"{name}.keras").classes == classes
    val = Splits(recipe_of_run(finished.folder)).open("val")
    found = model.predict([val.read_image(record) for record in val])
    for record, segmentation in zip(val, found, strict=True):
        mask = read_mask(finished.folder / f"6_evaluate/predictions/{record.id}.png")
        # Of two classes with equal probabilities to the rounding of float32 either may be taken.
        highest = np.sort(segmentation.probabilities, -1)
        sure = highest[..., -1] - highest[..., -2] > 1e-4
        assert sure.mean() > 0.5
        np.testing.assert_array_equal(segmentation.mask[sure], mask[sure])


def test_the_run_is_not_a_trivial_one(finished):
    """The other tests compare masks: so they must not all be background, nor all one class."""
    for folder in ("4_label/masks", "6_evaluate/predictions", "6_evaluate/ceiling_predictions"):
        found = np.concatenate([np.unique(read_mask(path)) for path in (finished.folder / folder).iterdir()])
        assert len(np.unique(found)) > 1, folder


class References(HTMLParser):
    """Collects what a page would load."""

    def __init__(self):
        super().__init__()
        self.found = []

    def handle_starttag(self, tag, attrs):
        for name, value in attrs:
            if name in ("src", "srcset", "data", "poster", "background") or (tag, name) == ("link", "href"):
                self.found.append((tag, name, value or ""))


def test_the_report_is_one_file(finished):
    page = (finished.folder / "7_report/report.html").read_text()
    references = References()
    references.feed(page)
    assert len(references.found) > 20  # pictures and figures
    assert not [item for item in references.found if not item[2].startswith("data:")]
    assert "<script" not in page and not re.search(r"@import|url\(\s*['\"]?(?!data:)[^)]*//", page)
    for text in ("sunflower", "train_000", "val_000", "localize", "small"):
        assert text in page, text


def test_a_second_run_skips_everything(finished, command):
    times = {path: path.stat().st_mtime_ns for path in finished.folder.glob("[1-7]_*/*")}
    status, output = command("run", finished.recipe, "--run", finished.folder)
    assert status == 0
    assert output.count("done already, skipped") == len(PLAN)
    assert times == {path: path.stat().st_mtime_ns for path in finished.folder.glob("[1-7]_*/*")}


def test_status_of_a_finished_run_and_of_one_with_another_option(finished, command):
    status, output = command("status", finished.folder)
    assert status == 0
    assert [line.split() for line in output.splitlines()] == [[name, "done"] for name in PLAN]
    status, output = command("status", finished.folder, "--label.crf.preset", "none", "--segment.epochs=9")
    stale = {line.split()[0]: line for line in output.splitlines() if " stale " in line}
    assert list(stale) == ["label", "segment", "ceiling", "evaluate", "report"]
    assert "`label.crf.preset` changed from irn to none" in stale["label"]
    assert "`segment.epochs` changed from 2 to 9" in stale["ceiling"]


def test_a_stage_alone_goes_by_the_recipe_of_its_run(finished, command, tmp_path):
    run = finished.copy(tmp_path / "run", "7_report")
    status, output = command("report", "--run", run)
    assert status == 0 and output.startswith("report: report.html")
    assert (run / "7_report/report.html").exists()
