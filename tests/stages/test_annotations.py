"""Annotations in the label stage: from files, from the dataset, simulated; and what becomes of the pseudo-masks."""

import numpy as np
import pytest
from PIL import Image

from wsseg.artifacts import ClassMaps, read_mask, write_mask
from wsseg.datasets import Dataset
from wsseg.engine.preflight.supervision import check_supervision
from wsseg.errors import InputError
from wsseg.objects.instance_files import read_instances
from wsseg.recipe.reading import load_recipe
from wsseg.stages.label import annotations, pseudo_masks
from wsseg.stages.label import stage as label
from wsseg.supervision.splits import Splits
from wsseg.supervision.training_images import training_data

SIZE = (20, 24)
CLASSES = ("cat", "dog")


@pytest.fixture
def photographs(tmp_path):
    """Four images of noise, each with a dog of 10 x 8 pixels and no cat; the last without a mask."""
    root = tmp_path / "photographs"
    (root / "images").mkdir(parents=True)
    (root / "masks").mkdir()
    rows = ["image,labels,split"]
    for index in range(5):
        pixels = np.random.default_rng(index).integers(0, 256, (*SIZE, 3), np.uint8)
        Image.fromarray(pixels).save(root / f"images/{index}.png")
        mask = np.zeros(SIZE, np.uint8)
        mask[4:14, 3 + index : 11 + index] = 2
        if index != 3:
            write_mask(root / f"masks/{index}.png", mask)
        rows.append(f"{index}.png,dog,{'train' if index < 4 else 'val'}")
    (root / "labels.csv").write_text("\n".join(rows) + "\n")
    return root


@pytest.fixture
def recipe(photographs):
    def build(*words):
        base = ["--dataset.name=folder", f"--dataset.root={photographs}", "--dataset.classes=[cat,dog]"]
        base += ["--label.workers=1", "--label.crf.preset=none", "--label.threshold.level=0.5"]
        return load_recipe(overrides=[*base, *(f"--{word}" for word in words)])

    return build


@pytest.fixture
def inputs(tmp_path):
    """Maps that call the left half a dog."""
    (tmp_path / "3_propagate/maps").mkdir(parents=True)
    maps = np.zeros((1, *SIZE), np.float32)
    maps[:, :, :12] = 0.8
    for index in range(4):
        ClassMaps(np.array([2]), maps, SIZE).save(tmp_path / f"3_propagate/maps/{index}.npz")
    return {"propagate": tmp_path / "3_propagate", "data": tmp_path / "data"}


def labelled(recipe, inputs, out):
    check_supervision(Splits(recipe))
    out.mkdir()
    outcome = label.run(recipe, Splits(recipe, inputs["data"]), inputs, out)
    return outcome, [read_mask(out / f"masks/{index}.png") for index in range(4)]


def simulated(kind, *words):
    return (f"supervision.annotations={kind}", "supervision.simulated=true", *words)


def test_marks_from_files(recipe, inputs, tmp_path):
    marks = np.full(SIZE, 255, np.uint8)
    marks[5, 5], marks[0, 0], marks[5, 20] = 0, 1, 2
    (tmp_path / "marks").mkdir()
    write_mask(tmp_path / "marks/1.png", marks)
    words = ("supervision.annotations=scribbles", f"supervision.annotations_root={tmp_path / 'marks'}")
    outcome, masks = labelled(recipe(*words), inputs, tmp_path / "label")
    plain = np.where(np.arange(24) < 12, 2, 0) * np.ones((20, 1))
    assert np.array_equal(masks[0], plain)
    expected = plain.copy()
    expected[5, 5], expected[0, 0], expected[5, 20] = 0, 1, 2  # the cat is not among the labels
    assert np.array_equal(masks[1], expected)
    assert outcome.counts["annotated"] == 1 and "scribbles in 1 images" in outcome.line
    assert np.array_equal(read_mask(tmp_path / "label/annotations/1.png"), marks)


def test_a_mark_file_that_cannot_be_used_is_set_aside_and_not_all_of_them(recipe, inputs, tmp_path):
    (tmp_path / "marks").mkdir()
    write_mask(tmp_path / "marks/0.png", np.full((3, 3), 255, np.uint8))
    words = ("supervision.annotations=points", f"supervision.annotations_root={tmp_path / 'marks'}")
    with pytest.raises(InputError, match=r"none of the 1 annotations can be used: .*marks/0.png are 3 x 3"):
        labelled(recipe(*words), inputs, tmp_path / "label")
    marks = np.full(SIZE, 255, np.uint8)
    marks[5, 5] = 0
    write_mask(tmp_path / "marks/1.png", marks)
    outcome, masks = labelled(recipe(*words), inputs, tmp_path / "again")
    assert outcome.counts["annotated"] == 1
    assert "only its labels are used: marks" in outcome.set_aside["0"]
    assert np.array_equal(masks[0], np.where(np.arange(24) < 12, 2, 0) * np.ones((20, 1)))
    assert masks[1][5, 5] == 0


def test_boxes_from_a_table(recipe, inputs, tmp_path):
    (tmp_path / "boxes.csv").write_text(
        "image,label,left,top,right,bottom\n0.png,dog,2,3,6,9\n0.png,dog,10,3,16,9\n2,cat,0,0,24,20\n4,dog,0,0,1,1\n"
    )
    words = ("supervision.annotations=boxes", f"supervision.annotations_root={tmp_path / 'boxes.csv'}")
    outcome, masks = labelled(recipe(*words), inputs, tmp_path / "label")
    expected = np.zeros(SIZE, int)
    expected[3:9, 2:6] = expected[3:9, 10:12] = 2
    assert np.array_equal(masks[0], expected)
    assert not masks[2].any()  # no box of a dog there
    assert masks[1][:, :12].all() and outcome.counts["annotated"] == 2


def test_boxes_of_the_dataset(tmp_path):
    words = ["--dataset.name=scenes", f"--dataset.root={tmp_path / 'scenes'}", "--label.workers=1"]
    words += [
        "--dataset.options={size: 48, train_images: 3, val_images: 1}",
        "--supervision.annotations=boxes",
    ]
    recipe = load_recipe(overrides=words)
    check_supervision(Splits(recipe))
    train, _ = training_data(Splits(recipe, tmp_path / "data"), {})
    assert annotations.write_annotations(Splits(recipe, tmp_path / "data"), train, tmp_path) == (3, {})
    for record in train:
        stored, _ = annotations.read_annotation(annotations.annotation_of(tmp_path, record))[::-1]
        assert stored.boxes_xyxy.tolist() == train.read_boxes(record).boxes_xyxy.tolist()


@pytest.mark.parametrize("kind", ["points", "scribbles", "boxes"])
def test_simulated_annotations_are_all_that_leaves_the_masks(
    kind, recipe, photographs, inputs, tmp_path, monkeypatch
):
    outcome, masks = labelled(recipe(*simulated(kind)), inputs, tmp_path / "one")
    suffix = "json" if kind == "boxes" else "png"
    written = sorted((tmp_path / "one/annotations").iterdir())
    assert [path.name for path in written] == [f"{index}.{suffix}" for index in range(3)]
    assert outcome.counts["annotated"] == 3
    plain = np.where(np.arange(24) < 12, 2, 0) * np.ones((20, 1))
    assert np.array_equal(masks[3], plain)
    for index, mask in enumerate(masks[:3]):
        truth = read_mask(photographs / f"masks/{index}.png")
        if kind == "boxes":
            assert np.array_equal(mask, np.where(truth == 2, plain, 0))  # the box is the dog
        else:
            marks = read_mask(written[index])
            marked = marks != 255
            assert np.array_equal(marks[marked], truth[marked]) and set(marks[marked]) == {0, 2}
            assert np.array_equal(mask[marked], marks[marked]) and np.array_equal(
                mask[~marked], plain[~marked]
            )

    def refuse(self, record):
        raise AssertionError(f"the mask of {record.id} was read")

    # The same annotations, given as files: the same pseudo-masks, and no mask is opened.
    source = tmp_path / "one/annotations"
    if kind == "boxes":
        rows = ["image,label,left,top,right,bottom"]
        for path in written:
            for box in read_instances(path).boxes_xyxy.tolist():
                rows.append(f"{path.stem},dog,{','.join(map(str, box))}")
        source = tmp_path / "boxes.csv"
        source.write_text("\n".join(rows) + "\n")
    given = recipe(f"supervision.annotations={kind}", f"supervision.annotations_root={source}")
    monkeypatch.setattr(Dataset, "read_mask", refuse)
    _, again = labelled(given, inputs, tmp_path / "two")
    assert all(np.array_equal(a, b) for a, b in zip(masks, again))
    # A stage that was stopped after them opens none either.
    for path in (tmp_path / "one/masks").iterdir():
        path.unlink()
    annotated = label.run(
        recipe(*simulated(kind)),
        Splits(recipe(*simulated(kind)), tmp_path / "data"),
        inputs | {"data": tmp_path / "data"},
        tmp_path / "one",
    )
    assert annotated.counts["annotated"] == 3


def test_the_seed_decides(recipe, photographs, tmp_path):
    def drawn(*words):
        chosen = recipe(*simulated("points", "supervision.width=1", *words))
        truth = Splits(chosen).open("train", masks=True)
        return [annotations.simulate(chosen.supervision, chosen.seed, truth, truth[i])[0] for i in range(3)]

    one, same, other = drawn(), drawn(), drawn("seed=1")
    assert all(np.array_equal(a, b) for a, b in zip(one, same))
    assert not all(np.array_equal(a, b) for a, b in zip(one, other))


def test_a_broken_mask_leaves_its_image_with_its_labels(recipe, photographs, inputs, tmp_path):
    (photographs / "masks/1.png").write_bytes(b"no mask")
    outcome, _ = labelled(recipe(*simulated("points")), inputs, tmp_path / "label")
    assert outcome.counts["annotated"] == 2
    assert (
        list(outcome.set_aside) == ["1"]
        and "no annotation could be simulated: mask" in outcome.set_aside["1"]
    )


def test_a_mask_of_nothing_known(recipe, photographs):
    write_mask(photographs / "masks/0.png", np.full(SIZE, 255, np.uint8))
    for kind in ("scribbles", "boxes"):
        chosen = recipe(*simulated(kind), "dataset.options={mask_values: {255: ignore}}")
        truth = Splits(chosen).open("train", masks=True)
        marks, boxes = annotations.simulate(chosen.supervision, 0, truth, truth[0])
        assert (marks is None or (marks == 255).all()) and (boxes is None or len(boxes) == 0)


def test_given_masks_among_pseudo_masks(recipe, photographs, inputs, tmp_path):
    outcome, masks = labelled(recipe("supervision.masks_share=0.4"), inputs, tmp_path / "label")
    given = outcome.counts["given_masks"]
    assert given == 1 and "3 pseudo-masks" in outcome.line and "1 true masks" in outcome.line
    plain = np.where(np.arange(24) < 12, 2, 0) * np.ones((20, 1))
    true = [np.array_equal(masks[i], read_mask(photographs / f"masks/{i}.png")) for i in range(3)]
    assert sum(true) == 1 and sum(np.array_equal(mask, plain) for mask in masks) == 3
    # Without the others nothing but given masks is written, and no maps are asked for.
    (tmp_path / "few").mkdir()
    few = recipe("supervision.masks_share=0.4", "supervision.rest=ignore")
    outcome = label.run(few, Splits(few, tmp_path / "data"), {"data": tmp_path / "data"}, tmp_path / "few")
    assert [path.stem for path in (tmp_path / "few/masks").iterdir()] == [f"{true.index(True)}"]
    assert outcome.line == "1 true masks, no pseudo-masks"


def test_the_oracle_knows_the_annotations(recipe, photographs, inputs, tmp_path):
    """Boxes that are the dogs: of a level below the map every box is full, and the score is 1 where the map is."""
    chosen = recipe(*simulated("boxes"))
    labelled(chosen, inputs, tmp_path / "label")
    truth = Splits(chosen).open("train", masks=True)
    maps = inputs["propagate"] / "maps"
    with_boxes = pseudo_masks.score_levels(chosen.label, [0.5], truth, maps, "test", tmp_path / "label")
    without = pseudo_masks.score_levels(chosen.label, [0.5], truth, maps, "test")
    hits = misses = 0
    for index in range(3):
        dog = read_mask(photographs / f"masks/{index}.png") == 2
        hits, misses = hits + dog[:, :12].sum(), misses + dog[:, 12:].sum()
    ground = 3 * 480 - hits - misses
    expected = (hits / (hits + misses) + ground / (ground + misses)) / 2
    assert with_boxes == [(0.5, pytest.approx(expected))] and without[0][1] < expected - 0.2
