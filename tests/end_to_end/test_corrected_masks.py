"""A user mends ten pseudo-masks of a finished run, and goes on."""

import json

import numpy as np
import pytest
from PIL import Image

from wsseg.artifacts import Manifest, read_mask
from wsseg.loading.training_batches import TrainingBatches
from wsseg.palette import colourise
from wsseg.saved_models import load_model
from wsseg.stages import relabel


@pytest.fixture
def ten(finished, tmp_path):
    """Ten masks of the run, painted over in colours, in a folder beside it."""
    folder = tmp_path / "ten"
    folder.mkdir()
    masks = {}
    for number, path in enumerate(sorted((finished.folder / "4_label/masks").iterdir())[:10]):
        mask = read_mask(path)
        mask[: 20 + number] = 1 + number % 3
        mask[-5:] = 255
        Image.fromarray(colourise(mask)).save(folder / path.name)
        masks[path.stem] = mask
    return folder, masks


def weights(run):
    return load_model(run / "5_segment/segmenter.keras").get_weights()


def test_ten_corrected_masks(finished, ten, command, tmp_path, monkeypatch):
    folder, masks = ten
    run = finished.copy(tmp_path / "run")
    status, output = command("correct", run, folder)
    assert status == 0 and "10 corrected masks taken" in output, output
    status, output = command("status", run)
    lines = dict(line.split(maxsplit=1) for line in output.splitlines())
    assert lines["label"] == "stale  (the data changed: `corrected_masks`)"
    assert [name for name, line in lines.items() if line != "done"] == [
        "label",
        "segment",
        "evaluate",
        "report",
    ]

    read = {}
    init = TrainingBatches.__init__

    def spied(self, dataset, config, seed, kind, targets, **options):
        read.update({record.id: targets(record) for record in dataset})
        init(self, dataset, config, seed, kind, targets, **options)

    with monkeypatch.context() as patch:
        patch.setattr(TrainingBatches, "__init__", spied)
        status, output = command("run", "--run", run)
    assert status == 0, output
    assert "ceiling: done already, skipped" in output and "propagate: done already, skipped" in output
    label = Manifest.load(run / "4_label")
    assert label.counts["corrected_masks"] == 10 and "label: 14 pseudo-masks" in output
    assert (
        len(label.warnings) == 1
        and "of 10 corrected masks have a class that the image's labels lack" in output
    )
    for path in (finished.folder / "4_label/masks").iterdir():
        expected = masks.get(path.stem, read_mask(path))
        assert np.array_equal(read_mask(run / "4_label/masks" / path.name), expected)
        assert np.array_equal(read[path.stem], expected), "the segmenter's batches read it"
    assert any(not np.array_equal(one, other) for one, other in zip(weights(run), weights(finished.folder)))
    scores = json.loads((run / "6_evaluate/scores.json").read_text())
    assert scores["pseudo_masks"]["images"] == 14
    assert scores["conventions"]["supervision"] == "image-level labels; 10 corrected masks"
    assert "images with a corrected mask are not scored" in scores["conventions"]["pseudo_masks"]
    page = (run / "7_report/report.html").read_text()
    assert "image-level labels; 10 corrected masks" in page and "corrected masks 10" in page

    status, output = command("label", "--run", run, "--label.threshold.level", "0.5")
    assert status == 0, output
    made = {path.stem: read_mask(path) for path in (run / "4_label/masks").iterdir()}
    assert all(np.array_equal(made[id], mask) for id, mask in masks.items()), "they survive another level"
    assert any(
        not np.array_equal(mask, read_mask(finished.folder / f"4_label/masks/{id}.png"))
        for id, mask in made.items()
        if id not in masks
    )

    status, output = command("correct", run, "--undo", *masks)
    assert status == 0, output
    level = Manifest.load(finished.folder / "4_label").counts["level"]
    status, output = command("label", "--run", run, "--label.threshold.level", level)
    assert status == 0 and "24 pseudo-masks" in output, output
    assert Manifest.load(run / "4_label").definition == Manifest.load(finished.folder / "4_label").definition
    for path in (finished.folder / "4_label/masks").iterdir():
        assert np.array_equal(read_mask(run / "4_label/masks" / path.name), read_mask(path))
    assert not (run / "4_label/corrected_masks.json").exists()


def test_masks_edited_in_place_are_kept_and_named(finished, ten, command, tmp_path):
    """Without `wsseg correct` the stage makes them again; what it says leads to their use."""
    folder, masks = ten
    run = finished.copy(tmp_path / "run", "5_segment", "6_evaluate", "7_report")
    for path in folder.iterdir():
        (run / "4_label/masks" / path.name).write_bytes(path.read_bytes())
    status, output = command("label", "--run", run)
    kept = run / "4_label.edited/masks"
    assert status == 0 and f"first call `wsseg correct {run} --edited`" in output, output
    assert f"to use its edited masks, call `wsseg correct {run} {kept}`" in output
    status, output = command("correct", run, kept)
    assert status == 0 and "10 corrected masks taken" in output, output
    assert "14 masks are as the run has them" in output
    status, output = command("label", "--run", run)
    assert status == 0, output
    for id, mask in masks.items():
        assert np.array_equal(read_mask(run / f"4_label/masks/{id}.png"), mask)


@pytest.mark.slow
def test_relabelling_keeps_them(finished, ten, command, tmp_path, monkeypatch):
    folder, masks = ten
    run = finished.copy(tmp_path / "run")
    learnt, train_segmenter = [], relabel.train_segmenter

    def spied(recipe, inputs, out, train, read, set_aside, shown):
        learnt.append(({record.id: read(record) for record in train}, [record.id for record in shown]))
        return train_segmenter(recipe, inputs, out, train, read, set_aside, shown=shown)

    monkeypatch.setattr(relabel, "train_segmenter", spied)
    command("correct", run, folder)
    words = ["--relabel.rounds", "2", "--relabel.epochs", "1", "--supervision.masks_repeat", "3"]
    for stage in ("label", "relabel"):
        status, output = command(stage, "--run", run, *words)
        assert status == 0, output
    assert "; 10 corrected masks kept" in output
    assert Manifest.load(run / "4_relabel").counts["corrected_masks"] == 10
    assert len(learnt) == 2
    for read, shown in learnt:
        assert len(shown) == 14 + 3 * 10
        assert all(shown.count(id) == 3 and np.array_equal(read[id], mask) for id, mask in masks.items())
    for id, mask in masks.items():
        assert np.array_equal(read_mask(run / f"4_relabel/masks/{id}.png"), mask)
    others = [path for path in (run / "4_relabel/masks").iterdir() if path.stem not in masks]
    assert any(
        not np.array_equal(read_mask(path), read_mask(run / "4_label/masks" / path.name)) for path in others
    )
