"""The section `supervision`: what it makes of the training data, and which stages it makes stale."""

import dataclasses

import numpy as np
import pytest
from PIL import Image
from small_run import fake_stages

from wsseg.artifacts import read_json, read_mask, write_json, write_mask
from wsseg.datasets import Dataset
from wsseg.datasets.label_noise import noisy_labels
from wsseg.engine import run as engine
from wsseg.engine.definitions import Definitions
from wsseg.errors import InputError
from wsseg.recipe.reading import load_recipe
from wsseg.stages import STAGES, inputs_of, plan, segment
from wsseg.stages.label.given_masks import given_ids, write_given_masks
from wsseg.supervision.splits import Splits
from wsseg.supervision.training_images import describe_supervision, training_data, with_given_masks

WEAK = ["classify", "localize", "propagate", "label", "segment", "evaluate", "report"]


@pytest.fixture
def photographs(tmp_path):
    """Forty training images, of which twenty have masks, and four to validate."""
    root = tmp_path / "photographs"
    (root / "images").mkdir(parents=True)
    (root / "masks").mkdir()
    rows = ["image,labels,split"]
    for index in range(44):
        Image.fromarray(np.full((20, 24, 3), index, np.uint8)).save(root / f"images/{index:02}.png")
        if index % 2 or index >= 40:
            write_mask(root / f"masks/{index:02}.png", np.full((20, 24), index % 3, np.uint8))
        labels = ("cat", "dog", "cat dog")[index % 3]
        rows.append(f"{index:02}.png,{labels},{'train' if index < 40 else 'val'}")
    (root / "labels.csv").write_text("\n".join(rows) + "\n")
    return root


@pytest.fixture
def recipe(photographs):
    def build(*words):
        base = ["--dataset.name=folder", f"--dataset.root={photographs}", "--label.workers=1"]
        return load_recipe(overrides=[*base, *(f"--{word}" for word in words)])

    return build


def labels_of(dataset):
    return {record.id: record.labels for record in dataset}


def test_without_the_section_the_data_are_as_they_are(recipe, tmp_path):
    train, aside = training_data(Splits(recipe(), tmp_path / "data"), {})
    assert labels_of(train) == labels_of(Splits(recipe()).open("train")) and aside == {}
    assert all(record.mask is None for record in train)


def test_noise_is_the_same_in_every_stage_and_in_the_training_split_alone(recipe, photographs, tmp_path):
    noisy, inputs = recipe("supervision.label_noise=0.4", "seed=3"), {"data": tmp_path / "data"}
    blind, _ = training_data(Splits(noisy, inputs["data"]), inputs)
    expected = noisy_labels(Splits(noisy).open("train"), 0.4, 3)
    assert labels_of(blind) == expected != labels_of(Splits(noisy).open("train"))
    # Scoring sets two images with broken masks aside, and so counts the classes' labels otherwise: no matter.
    for index in (1, 3):
        (photographs / f"masks/{index:02}.png").write_bytes(b"no mask")
    scored, _ = training_data(Splits(noisy, inputs["data"]), inputs, masks=True)
    assert len(scored) == 38 and labels_of(scored).items() <= expected.items()
    val, _ = Splits(noisy, tmp_path / "data").checked("val")
    assert labels_of(val) == labels_of(Splits(recipe()).open("val"))


def test_corrected_labels_replace_the_noisy_ones(recipe, tmp_path):
    cleaned = recipe("supervision.label_noise=0.4", "supervision.clean_labels=confidence")
    inputs = {"data": tmp_path / "data"}
    noisy, _ = training_data(Splits(cleaned, inputs["data"]), inputs)  # in the classify stage itself
    assert labels_of(noisy) == noisy_labels(Splits(cleaned).open("train"), 0.4, 0)
    write_json(tmp_path / "corrected_labels.json", {record.id: ["dog"] for record in noisy})
    corrected, _ = training_data(Splits(cleaned, inputs["data"]), inputs | {"classify": tmp_path})
    assert set(labels_of(corrected).values()) == {("dog",)}
    for stage in ("localize", "propagate", "label", "segment", "evaluate", "report"):
        assert "classify" in inputs_of(cleaned, stage), stage
    assert inputs_of(recipe("supervision.label_noise=0.4"), "label") == ["propagate"]


def test_a_teacher_is_held_to_the_labels_that_the_run_goes_by(recipe, tmp_path, monkeypatch):
    noisy, seen = recipe("supervision.label_noise=0.4"), {}
    monkeypatch.setattr(segment, "train_segmenter", lambda *args, **_: seen.update(train=args[3]))
    segment.run(
        noisy, Splits(noisy, tmp_path / "data"), {"data": tmp_path / "data", "label": tmp_path}, tmp_path
    )
    assert labels_of(seen["train"]) == noisy_labels(Splits(noisy).open("train"), 0.4, 0)


def test_given_masks_are_shown_more_often(recipe, tmp_path, monkeypatch):
    seen = {}
    monkeypatch.setattr(
        segment, "train_segmenter", lambda *args, shown, **_: seen.update(all=args[3], shown=shown)
    )
    ids = [record.id for record in Splits(recipe()).open("train")]
    given, others = ids[1:3], [ids[0], *ids[3:]]
    write_json(tmp_path / "given_masks.json", given)
    more = recipe("supervision.masks_share=0.5", "supervision.masks_repeat=3")
    segment.run(
        more, Splits(more, tmp_path / "data"), {"data": tmp_path / "data", "label": tmp_path}, tmp_path
    )
    assert sorted(record.id for record in seen["shown"]) == sorted(others + 3 * given)
    assert [record.id for record in seen["all"]] == ids
    key = "supervision.masks_repeat"
    assert Definitions(Splits(more)).of("segment")["options"][key] == 3
    assert key not in Definitions(Splits(recipe("supervision.masks_share=0.5"))).of("segment")["options"]


def test_runs_from_before_an_option_stand_while_it_does_nothing(recipe):
    weak = ("ceiling=true", "relabel.rounds=1")
    plain, changed = (
        Definitions(Splits(recipe(*weak, *words)))
        for words in (
            (),
            ("segment.teacher.weight=1", "localize.absent=0.5", "localize.scaling=range", "relabel.epochs=2"),
        )
    )
    for stage, section, option in (
        ("localize", "localize", "absent"),
        ("localize", "localize", "scaling"),
        ("relabel", "relabel", "epochs"),
        ("segment", "segment", "teacher"),
    ):
        assert option not in plain.of(stage)["options"][section]
        assert option in changed.of(stage)["options"][section]
    # The ceiling's masks leave a teacher nothing to label.
    assert plain.of("ceiling")["options"] == changed.of("ceiling")["options"]


def test_given_masks_are_nested_and_no_other_is_opened(recipe, photographs, tmp_path, monkeypatch):
    drawn = {}
    for share in (0.1, 0.5, 1):
        given = with_given_masks(Splits(recipe(f"supervision.masks_share={share}")))
        drawn[share] = {record.id for record in given}
        assert all(record.mask is not None for record in given)
    assert [len(ids) for ids in drawn.values()] == [2, 10, 20]  # of the twenty that have one
    assert drawn[0.1] < drawn[0.5] < drawn[1]
    assert with_given_masks(Splits(recipe())) is None
    other = with_given_masks(Splits(recipe("supervision.masks_share=0.5", "seed=1")))
    assert {record.id for record in other} != drawn[0.5]

    read = []
    reader = Dataset.read_mask
    monkeypatch.setattr(Dataset, "read_mask", lambda self, r: read.append(r.id) or reader(self, r))
    half = recipe("supervision.masks_share=0.5")
    (tmp_path / "out/masks").mkdir(parents=True)
    broken = min(drawn[0.5])
    (photographs / f"masks/{broken}.png").write_bytes(b"no mask")
    train, _ = training_data(Splits(half, tmp_path / "data"), {})
    ids, reasons = write_given_masks(Splits(half, tmp_path / "data"), train, tmp_path / "out")
    assert set(read) == drawn[0.5] and ids == drawn[0.5] - {broken} == given_ids(tmp_path / "out")
    assert list(reasons) == [broken] and "drawn as an image with a given mask, but mask" in reasons[broken]
    for name in ids:
        stored = read_mask(tmp_path / f"out/masks/{name}.png")
        assert np.array_equal(stored, np.full((20, 24), int(name) % 3))
    assert read_json(tmp_path / "out/given_masks.json") == sorted(ids)
    assert given_ids(tmp_path) == set()


def test_masks_that_cannot_be_used_where_there_is_nothing_else(recipe, photographs, tmp_path):
    for path in (photographs / "masks").iterdir():
        path.write_bytes(b"no mask")
    few = recipe("supervision.masks_share=0.1", "supervision.rest=ignore")
    train, _ = training_data(Splits(few, tmp_path / "data"), {})
    (tmp_path / "masks").mkdir()
    with pytest.raises(InputError, match="none of the 2 given masks can be used: drawn as an image"):
        write_given_masks(Splits(few, tmp_path / "data"), train, tmp_path)


def test_the_plan_without_pseudo_masks(recipe):
    words = ["supervision.masks_share=0.1", "supervision.rest=ignore", "ceiling=true"]
    assert plan(recipe(*words)) == ["label", "segment", "ceiling", "evaluate", "report"]
    words[1] = "supervision.rest=unlabelled"
    assert plan(recipe(*words)) == ["label", "segment", "ceiling", "evaluate", "report"]
    assert inputs_of(recipe(*words), "label") == []
    assert plan(recipe("supervision.masks_share=0.1")) == WEAK


@pytest.fixture
def run(monkeypatch, tmp_path):
    for name, stage in STAGES.items():
        monkeypatch.setitem(STAGES, name, dataclasses.replace(stage, work="small_run.fake_stages:run"))
    monkeypatch.setattr(engine, "check_parts", lambda recipe: None)
    fake_stages.RAN.clear()
    fake_stages.FAILING.clear()
    return lambda recipe: engine.run(recipe, tmp_path / "run", None, lambda line: None)


def stale(recipe, folder):
    return {s.stage: s.why for s in engine.states(recipe, folder / "run") if s.status == "stale"}


@pytest.mark.parametrize(
    ("words", "first", "said"),
    [
        (["label_noise=0.2"], "classify", "`supervision.label_noise` is now 0.2"),
        (["clean_labels=confidence"], "classify", "`supervision.clean_labels` is now confidence"),
        (["masks_share=0.2"], "label", "`supervision.masks_share` is now 0.2"),
        (["annotations=points", "simulated=true"], "label", "`supervision.annotations` is now points"),
    ],
)
def test_what_the_section_makes_stale(recipe, run, tmp_path, words, first, said):
    run(recipe())
    changed = recipe(*(f"supervision.{word}" for word in words))
    found = stale(changed, tmp_path)
    assert list(found) == WEAK[WEAK.index(first) :] and said in found[first]
    run(changed)
    assert stale(changed, tmp_path) == {}


@pytest.mark.parametrize(
    "word",
    [
        "supervision.width=9",
        "supervision.loosened=0.3",
        "supervision.clean_folds=5",
        "classify.loss=cross_entropy",
    ],
)
def test_options_that_do_nothing_make_nothing_stale(recipe, run, tmp_path, word):
    run(recipe())
    assert stale(recipe(word), tmp_path) == {}
    assert not any("supervision" in name for name in Definitions(Splits(recipe(word))).of("label")["options"])


def test_another_loss_or_seed_makes_the_right_stages_stale(recipe, run, tmp_path):
    run(recipe("supervision.masks_share=0.5", "supervision.rest=ignore"))
    found = stale(recipe("supervision.masks_share=0.5", "supervision.rest=ignore", "seed=1"), tmp_path)
    assert "`seed` changed from 0 to 1" in found["label"]
    first = Definitions(Splits(recipe())).of("classify")["options"]["classify"]
    assert "loss" not in first and "loss_options" not in first
    changed = Definitions(Splits(recipe("classify.loss=generalised"))).of("classify")["options"]["classify"]
    assert changed == first | {"loss": "generalised"}


def test_data_of_the_section_that_changed(recipe, run, photographs, tmp_path):
    """Masks that are given concern the label stage, the others do not; a point that moved does."""
    half = recipe("supervision.masks_share=0.5")
    given = {record.id for record in with_given_masks(Splits(half))}
    run(half)
    others = {f"{index:02}" for index in range(1, 40, 2)} - given
    kept = (photographs / f"masks/{min(others)}.png").read_bytes()
    noise = np.random.default_rng(0).integers(0, 3, (20, 24)).astype(np.uint8)  # a larger file
    write_mask(photographs / f"masks/{min(others)}.png", noise)
    assert list(stale(half, tmp_path)) == ["evaluate", "report"]
    (photographs / f"masks/{min(others)}.png").write_bytes(kept)
    assert stale(half, tmp_path) == {}
    write_mask(photographs / f"masks/{min(given)}.png", noise)
    assert stale(half, tmp_path)["label"] == "the data changed: `given_masks`"

    marks = tmp_path / "marks"
    marks.mkdir()
    point = np.full((20, 24), 255, np.uint8)
    point[3, 3] = 1
    Image.fromarray(point).save(marks / "04.png", compress_level=0)
    marked = recipe("supervision.annotations=points", f"supervision.annotations_root={marks}")
    run(marked)
    assert stale(marked, tmp_path) == {}
    marks.rename(tmp_path / "moved")
    moved = recipe("supervision.annotations=points", f"supervision.annotations_root={tmp_path / 'moved'}")
    assert stale(moved, tmp_path) == {}
    Image.fromarray(point[::-1]).save(tmp_path / "moved/04.png", compress_level=0)  # as large as before
    assert stale(moved, tmp_path)["label"] == "the data changed: `annotations`"


def test_the_supervision_in_words(recipe):
    def said(*words):
        return describe_supervision(recipe(*(f"supervision.{word}" for word in words)))

    assert said() == "image-level labels"
    assert said("label_noise=0.2", "clean_labels=confidence") == (
        "image-level labels, with noise at a rate of 0.2, corrected by classifiers of 3 folds"
    )
    assert said("annotations=points", "annotations_root=x") == "image-level labels; points"
    assert "boxes SIMULATED from the true training masks, loosened by up to 0.1" in said(
        "annotations=boxes", "simulated=true", "loosened=0.1"
    )
    assert said("masks_share=0.1").endswith("; the true masks of a share of 0.1 of the images that have one")
    assert said("masks_share=0.1", "masks_repeat=4").endswith("have one, shown 4 times as often")
    assert said("masks_share=0.1", "rest=ignore").startswith("the true masks")
    assert said("masks_share=0.1", "rest=unlabelled").endswith("; the other images without labels")
    assert describe_supervision(recipe("segment.train_on=true_masks")) == "true masks (fully supervised)"
