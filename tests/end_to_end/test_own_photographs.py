"""The dataset `folder`, as users bring it: broken and odd files among good ones, with and without masks."""

import json

import numpy as np
import pytest
from PIL import Image
from small_run.in_process import run_quietly
from small_run.photographs import CLASSES, write_labels, write_photographs
from small_run.recipe import write_recipe

from wsseg.artifacts import IGNORE, Manifest, read_mask, write_mask

FOLDER = {"name": "folder", "options": {"allow_unlabelled": True}}


def add_odd_photographs(root, rows):
    """Add what the brief of this package names: each must be used, or set aside with a reason."""
    image = Image.open(root / "images/train 0.png").convert("RGB")
    image.convert("L").save(root / "images/gray.png")
    image.convert("RGBA").save(root / "images/transparent.png")
    image.convert("CMYK").save(root / "images/print.jpg")
    image.crop((0, 0, 1, 1)).save(root / "images/dot.png")
    image.save(root / "images/cut.jpg")
    content = (root / "images/cut.jpg").read_bytes()
    (root / "images/cut.jpg").write_bytes(content[: len(content) // 2])
    image.save(root / "images/other size.png")
    write_mask(root / "masks/other size.png", np.zeros((10, 10), np.uint8))
    image.save(root / "images/nothing on it.png")
    for name in ("gray.png", "transparent.png", "print.jpg", "dot.png", "cut.jpg", "other size.png"):
        rows[name] = f"{name},beetle daisy,train"
    rows["nothing on it.png"] = "nothing on it.png,,train"
    write_labels(root, rows)


@pytest.fixture(scope="module")
def with_masks(tmp_path_factory):
    """A run on photographs, a few of them odd, whose background level is calibrated on a split of its own."""
    folder = tmp_path_factory.mktemp("with_masks")
    rows = write_photographs(folder / "photographs")
    add_odd_photographs(folder / "photographs", rows)
    threshold = {"rule": "calibration", "split": "calibration", "images": 3, "levels": [0.2, 0.5]}
    changes = {"dataset": FOLDER | {"root": str(folder / "photographs")}, "label": {"threshold": threshold}}
    recipe = write_recipe(folder / "mine.yaml", changes)
    status, output = run_quietly("run", recipe, "--run", folder / "run")
    assert status == 0, output
    return folder, output


def test_odd_photographs_are_used(with_masks):
    folder, _ = with_masks
    for name in ("gray", "transparent", "print", "other size", "nothing on it"):
        assert read_mask(folder / f"run/4_label/masks/{name}.png").shape == (48, 64)
    assert not read_mask(folder / "run/4_label/masks/nothing on it.png").any()
    assert not (folder / "run/2_localize/maps/nothing on it.npz").exists()


def test_broken_photographs_are_set_aside_and_reported(with_masks):
    folder, output = with_masks
    for stage in ("1_classify", "2_localize", "4_label", "5_segment"):
        aside = Manifest.load(folder / "run" / stage).set_aside
        assert set(aside) == {"cut", "dot"}
        assert "truncated" in aside["cut"] and "cut.jpg" in aside["cut"] and "1 x 1" in aside["dot"]
        assert not (folder / "run/4_label/masks/cut.png").exists()
    assert "2 set aside (see " in output
    page = (folder / "run/7_report/report.html").read_text()
    assert all(text in page for text in ("cut.jpg", "dot.png", "other size"))


def test_a_mask_of_another_size_is_left_out_of_the_scores_alone(with_masks):
    folder, _ = with_masks
    aside = Manifest.load(folder / "run/6_evaluate").set_aside
    assert set(aside) == {"cut", "dot", "other size"} and "10 x 10" in aside["other size"]
    scores = json.loads((folder / "run/6_evaluate/scores.json").read_text())
    # Gray, RGBA, CMYK and the unlabelled one have no mask.
    assert (scores["pseudo_masks"]["images"], scores["segmenter"]["images"]) == (12, 5)
    assert tuple(scores["segmenter"]["iou"]) == ("background", *CLASSES)
    assert scores["ceiling"] is None


def test_the_level_is_calibrated_on_its_own_split(with_masks):
    folder, _ = with_masks
    chosen = json.loads((folder / "run/4_label/threshold.json").read_text())
    assert (chosen["rule"], chosen["split"], chosen["images"]) == ("calibration", "calibration", 3)
    best = max(chosen["curve"], key=lambda point: point[1])
    assert [chosen["level"], chosen["miou"]] == best and [point[0] for point in chosen["curve"]] == [0.2, 0.5]
    maps = sorted(path.stem for path in (folder / "run/2_localize/calibration_maps").iterdir())
    assert len(maps) == 3 and all(name.startswith("calibration ") for name in maps)
    scores = json.loads((folder / "run/6_evaluate/scores.json").read_text())
    assert (scores["class_maps"]["threshold"], scores["class_maps"]["rule"]) == (
        chosen["level"],
        "calibration",
    )
    assert "split `calibration`" in scores["conventions"]["threshold"]


def test_images_of_several_sizes(with_masks):
    folder, _ = with_masks
    for kind, split in (("4_label/masks", "train"), ("6_evaluate/predictions", "val")):
        for index in range(5):
            made = read_mask(folder / f"run/{kind}/{split} {index}.png")
            assert made.shape == (64 if index % 3 else 48, 64)


def test_a_new_image_and_another_label_make_stages_stale(with_masks, command):
    folder, _ = with_masks
    rows = (folder / "photographs/labels.csv").read_text()
    try:
        (folder / "photographs/labels.csv").write_text(
            rows.replace("gray.png,beetle daisy", "gray.png,beetle")
        )
        _, output = command("status", folder / "run")
        lines = {line.split()[0]: line for line in output.splitlines()}
        assert "stale  (the data changed: `train`)" in lines["classify"]
        assert "stale" in lines["report"]
        Image.open(folder / "photographs/images/val 0.png").save(folder / "photographs/images/new.png")
        (folder / "photographs/labels.csv").write_text(rows + "new.png,daisy,val\n")
        _, output = command("status", folder / "run")
        assert "classify   stale  (the data changed: `val`)" in output
    finally:
        (folder / "photographs/labels.csv").write_text(rows)
        (folder / "photographs/images/new.png").unlink(missing_ok=True)
    _, output = command("status", folder / "run")
    assert "stale" not in output


def test_a_corrected_mask_is_scored_anew_and_nothing_else(with_masks, command):
    folder, _ = with_masks
    path = folder / "photographs/masks/train 1.png"
    content = path.read_bytes()
    try:
        write_mask(path, np.zeros((64, 64), np.uint8))
        _, output = command("status", folder / "run")
        stale = [line.split()[0] for line in output.splitlines() if " stale " in line]
        assert stale == ["evaluate", "report"]
        assert "the data changed: `train_masks`" in output
    finally:
        path.write_bytes(content)


@pytest.mark.slow
def test_without_any_mask(tmp_path, command):
    """Otsu's level, unsure pixels, and a segmenter that begins with the classifier's backbone."""
    write_photographs(tmp_path / "photographs", masks=False)
    changes = {
        "dataset": FOLDER | {"root": str(tmp_path / "photographs")},
        "label": {"threshold": {"rule": "otsu"}, "unsure": 0.15},
        "segment": {"weights": "classifier", "epochs": 1},
    }
    recipe = write_recipe(tmp_path / "mine.yaml", changes)
    status, output = command("run", recipe, "--run", tmp_path / "run")
    assert status == 0, output
    assert "there are no scores" in output and "no split has masks" in output
    scores = json.loads((tmp_path / "run/6_evaluate/scores.json").read_text())
    assert [scores[name] for name in ("class_maps", "pseudo_masks", "segmenter", "ceiling")] == [None] * 4
    level = json.loads((tmp_path / "run/4_label/threshold.json").read_text())
    assert level["rule"] == "otsu" and 0 < level["level"] < 1
    masks = [read_mask(path) for path in (tmp_path / "run/4_label/masks").iterdir()]
    assert len(masks) == 12 and any((mask == IGNORE).any() for mask in masks)
    assert any(((mask > 0) & (mask != IGNORE)).any() for mask in masks)
    assert len(list((tmp_path / "run/6_evaluate/predictions").iterdir())) == 5
    assert (tmp_path / "run/7_report/report.html").stat().st_size > 10_000
    # Masks are needed now, and that is said before anything runs.
    status, output = command("run", recipe, "--run", tmp_path / "run", "--ceiling", "true")
    assert status == 2 and "`ceiling: true` needs masks" in output and "skipped" not in output
    status, output = command("run", recipe, "--run", tmp_path / "other", "--segment.train_on", "true_masks")
    assert status == 2 and "`segment.train_on: true_masks` needs masks" in output
