"""The stages of instances: pseudo-instances, the detector and its ceiling, scores, and what the report shows."""

import dataclasses
from dataclasses import replace

import numpy as np
import pytest
from small_run import network
from small_run.recipe import write_recipe

from wsseg import classifiers
from wsseg.artifacts import ClassMaps, read_json
from wsseg.datasets import Dataset, Record
from wsseg.engine.preflight import parts as preflight
from wsseg.errors import InputError
from wsseg.file_names import DETECTOR
from wsseg.objects.instance_files import read_instances, write_instances
from wsseg.objects.instances import Instances
from wsseg.recipe import CRFConfig, LabelConfig
from wsseg.recipe.reading import load_recipe
from wsseg.saved_models import load_model
from wsseg.stages import detect, plan
from wsseg.stages.evaluate import detectors as evaluate_detectors
from wsseg.stages.label import pseudo_instances
from wsseg.stages.report.objects import object_galleries, object_scores
from wsseg.supervision.splits import Splits
from wsseg.training.model_files import save_model

DETECT = {
    "network": "mask_rcnn",
    "weights": "classifier",
    "options": {
        "use_pyramid": False,  # one map is traced sooner than five
        "output_stride": 8,
        "channels": 8,
        "head_channels": 16,
        "mask_channels": 8,
        "proposals": 20,
        "regions": 8,
        "detections": 5,
    },
    "crop": 64,
    "long_side": [60, 70],
    "objects": 3,
    "optimizer": "sgd",  # is traced sooner than AdamW
    "learning_rate": 0.003,
    "batch_size": 4,
    "epochs": 2,
}
NO_CRF = LabelConfig(crf=CRFConfig(preset="none", unary="scores"), workers=1)


def recipe_with(folder, **sections):
    dataset = {"options": {"size": 64, "train_images": 8, "val_images": 4}}
    changes = {"dataset": dataset, "detect": DETECT, "ceiling": True, "segment": {"network": "none"}}
    changes |= {"propagate": {"method": "irn", "instances": True}} | sections
    return load_recipe(write_recipe(folder / "small.yaml", changes))


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """The recipe, and folders in which the pseudo-instances are the true ones; both detectors trained and scored."""
    network.register()
    folder = tmp_path_factory.mktemp("detect")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("WSSEG_CACHE", str(folder / "cache"))
        recipe = recipe_with(folder)
        stages = ("data", "classify", "label", "detect", "detect_ceiling", "evaluate_detectors")
        inputs = {name: folder / name for name in stages}
        for path in (*inputs.values(), folder / "label/instances"):
            path.mkdir(exist_ok=True)
        train, _ = Splits(recipe, inputs["data"]).checked("train", masks=True)
        model = classifiers.create("gap", backbone="tiny", num_classes=len(train.classes), output_stride=8)
        save_model(model, folder / "classify/classifier.keras")
        for record in train:
            true = train.read_instances(record)
            known = dataclasses.replace(true, scores=np.ones(len(true)))
            write_instances(folder / f"label/instances/{record.id}.json", known, record.id, train.classes)
        read = Dataset.read_instances
        with patch.context() as guard:
            guard.setattr(Dataset, "read_instances", lambda *_: pytest.fail("true instances were read"))
            guard.setattr(Dataset, "read_mask", lambda *_: pytest.fail("a mask was read"))
            outcome = detect.run(recipe, Splits(recipe, inputs["data"]), inputs, inputs["detect"])
        assert Dataset.read_instances is read
        less = {name: path for name, path in inputs.items() if name != "detect_ceiling"}
        scored = evaluate_detectors.run(
            recipe, Splits(recipe, inputs["data"]), less, inputs["evaluate_detectors"]
        )
        yield recipe, inputs, outcome, scored


@pytest.mark.slow
def test_on_the_same_objects_detector_and_ceiling_are_the_same(run, tmp_path):
    recipe, inputs, *_ = run
    detect.run_ceiling(recipe, Splits(recipe, inputs["data"]), inputs, inputs["detect_ceiling"])
    one, other = (load_model(inputs[name] / DETECTOR) for name in ("detect", "detect_ceiling"))
    assert all(np.array_equal(a, b) for a, b in zip(one.get_weights(), other.get_weights(), strict=True))
    outcome = evaluate_detectors.run(recipe, Splits(recipe, inputs["data"]), inputs, tmp_path)
    assert outcome.counts["detector_ap50"] == outcome.counts["ceiling_ap50"]


def test_it_leaves_a_history_and_no_checkpoint(run):
    _recipe, inputs, outcome, _ = run
    assert outcome.counts["images"] == 8 and np.isfinite(outcome.counts["loss"])
    history = (inputs["detect"] / "history.csv").read_text().splitlines()
    assert len(history) == 3 and {"masks_loss", "boxes_loss", "classes_loss", "objectness_loss"} <= set(
        history[0].split(",")
    )
    assert not list(inputs["detect"].glob("*checkpoint*"))


def test_it_starts_from_the_classifiers_backbone(run):
    recipe, inputs, *_ = run
    built = detect.build(recipe, inputs, 7)
    classifier = load_model(inputs["classify"] / "classifier.keras")
    kernel = classifier.get_layer("block_3_conv").kernel
    np.testing.assert_array_equal(built.trunk.get_layer("block_3_conv").kernel, kernel)


def test_scores_are_of_the_files(run):
    _recipe, inputs, _, scored = run
    folder = inputs["evaluate_detectors"]
    scores = read_json(folder / "instance_scores.json")
    assert scores["pseudo_instances"]["masks"]["ap"] == scores["pseudo_instances"]["boxes"]["ap"] == 1
    assert scores["pseudo_instances"]["split"] == "train" and scores["pseudo_instances"]["images"] == 8
    assert set(scores) == {"pseudo_instances", "detector"} and scores["detector"]["split"] == "val"
    assert len(list((folder / "detections").glob("*.json"))) == 4
    assert "pseudo instances 1.000" in scored.line
    curves = scores["pseudo_instances"]["masks"]["precision_at_recalls"]
    assert all(curve is None or min(curve) == 1 for curve in curves.values())


def test_perfect_detections_score_1_and_files_that_are_there_are_kept(run, tmp_path, monkeypatch):
    recipe, inputs, *_ = run
    val, _ = Splits(recipe, inputs["data"]).checked("val", masks=True)
    (tmp_path / "detections").mkdir()
    for record in val:
        true = val.read_instances(record)
        known = dataclasses.replace(true, scores=np.full(len(true), 0.9))
        write_instances(tmp_path / f"detections/{record.id}.json", known, record.id, val.classes)
    monkeypatch.setattr(evaluate_detectors, "load_model", lambda *_: pytest.fail("nothing is left to detect"))
    less = {name: path for name, path in inputs.items() if name != "detect_ceiling"}
    outcome = evaluate_detectors.run(recipe, Splits(recipe, inputs["data"]), less, tmp_path)
    assert outcome.counts == {"pseudo_instances_ap50": 1, "detector_ap50": 1}


def test_the_report_shows_scores_curves_and_misses(run):
    recipe, inputs, *_ = run
    val, _ = Splits(recipe, inputs["data"]).checked("val", masks=True)
    rows = object_scores(inputs)
    assert [row.title for row in rows][:2] == [
        "pseudo-instances: masks, train",
        "pseudo-instances: boxes, train",
    ]
    assert len(rows) == 4 and "precision_at_recalls" not in rows[0].scores
    (shown,) = object_galleries(recipe, inputs, val)
    assert shown.columns == ("image", "true objects", "detections", "misses") and shown.rows
    assert object_scores({}) == [] == object_galleries(recipe, {}, val)


def test_pseudo_instances_go_to_the_strongest_map_and_keep_their_class(tmp_path):
    from PIL import Image

    Image.fromarray(np.full((8, 12, 3), 90, np.uint8)).save(tmp_path / "a.png")
    maps = np.zeros((3, 2, 3), np.float32)
    maps[0, :, 0], maps[1, :, 2], maps[2, 0, 0] = 1.0, 0.6, 0.5  # the third lies below the first everywhere
    ClassMaps(np.array([4, 4, 2]), maps, (8, 12)).save(tmp_path / "a.npz")
    record = Record("a", tmp_path / "a.png", ("cat", "dog"))
    found = pseudo_instances.pseudo_instances(NO_CRF, 0.3, record, tmp_path)
    assert found.class_ids.tolist() == [4, 4]
    left, right = found.masks
    assert left[:, :4].all() and right[:, 8:].all() and not (left & right).any() and not left[:, 8:].any()
    assert found.scores[0] > found.scores[1] > 0.3
    none = pseudo_instances.pseudo_instances(NO_CRF, 0.3, replace(record, labels=()), tmp_path)
    assert len(none) == 0 and none.size_hw == (8, 12) and none.scores is not None


def test_pseudo_instances_are_written_once(tmp_path, run):
    recipe, inputs, *_ = run
    train, _ = Splits(recipe, inputs["data"]).checked("train")
    maps = tmp_path / "propagate/instances"
    maps.mkdir(parents=True)
    for record in train:
        ClassMaps(np.array([1]), np.ones((1, 16, 16), np.float32), (64, 64)).save(maps / f"{record.id}.npz")
    (tmp_path / "instances").mkdir()
    kept = tmp_path / f"instances/{train[0].id}.json"
    write_instances(kept, Instances.of_masks(np.zeros((0, 64, 64)), [], np.zeros(0)), train[0].id)
    count = pseudo_instances.write_all(NO_CRF, 0.5, train, {"propagate": tmp_path / "propagate"}, tmp_path)
    assert count == len(train) - 1 and len(read_instances(kept)) == 0
    other = read_instances(tmp_path / f"instances/{train[1].id}.json")
    assert other.masks.all() and other.class_ids.tolist() == [1]


def test_stages_of_a_recipe_with_a_detector(tmp_path, monkeypatch):
    recipe = recipe_with(tmp_path)
    assert plan(recipe) == [
        "classify", "localize", "propagate", "label", "detect", "detect_ceiling", "evaluate",
        "evaluate_detectors", "report",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("sections", "message"),
    [
        ({"detect": {"network": "none"}}, "both none"),
        ({"propagate": {"method": "irn"}}, "add `propagate.method: irn` and `propagate.instances: true`"),
        ({"detect": DETECT | {"options": {"region": 3}}}, "`detect.options`: .* did you mean `regions`"),
        ({"detect": DETECT | {"options": {"backbone": "tiny"}}}, "write `detect.backbone` instead"),
        ({"detect": DETECT | {"options": {"num_classes": 3}}}, "is set by the stage itself"),
        ({"detect": DETECT | {"crop": 100}}, "`detect.crop` must be a multiple of 32"),
        ({"detect": DETECT | {"backbone": "resnet50"}}, "to be `classify.backbone`"),
        ({"detect": DETECT | {"options": {"nms": 3}}}, "`detect`: `nms` must be a number from 0 to 1"),
        ({"detect": DETECT | {"objects": 0}}, "`detect.objects` must be 1 or more"),
        ({"segment": {"train_on": "true_masks"}}, "which `segment.train_on: true_masks` does not make"),
    ],
)
def test_what_cannot_work_is_said_first(tmp_path, monkeypatch, sections, message):
    network.register()
    monkeypatch.setenv("WSSEG_CACHE", str(tmp_path / "cache"))
    with pytest.raises(InputError, match=message):
        preflight.check_parts(Splits(recipe_with(tmp_path, **sections)))


def test_a_dataset_without_instances_has_no_ceiling(tmp_path, run, monkeypatch):
    recipe, _inputs, *_ = run
    monkeypatch.setattr(Splits, "open", lambda *_, **__: Dataset("d", "train", ["a"], []))
    with pytest.raises(InputError, match="no image of split `train` has them"):
        preflight.check_detector(Splits(recipe))
