import json
import re

import keras
import numpy as np
import pytest
from keras import layers
from PIL import Image

from wsseg import datasets, explainers
from wsseg.artifacts import read_mask, write_mask
from wsseg.cli import main, recipe_options
from wsseg.commands.evaluate_maps import options as command_options
from wsseg.commands.evaluate_maps.measures import resized
from wsseg.commands.evaluate_maps.options import MEASURES, Options, chosen
from wsseg.errors import InputError
from wsseg.faithfulness import InsertionDeletion, Scorer
from wsseg.faithfulness.baselines import BASELINES
from wsseg.metrics import MaxBoxAcc, PixelAveragePrecision, PointingGame
from wsseg.places import boxes_at_levels

SIZE = ["--dataset.options.size", "48", "--dataset.options.val_images", "6"]


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """A folder with `model.keras` (six classes, 32 x 32), six scenes in `scenes/`, and three photographs."""
    folder = tmp_path_factory.mktemp("evaluate")
    keras.utils.set_random_seed(0)
    image = keras.Input((32, 32, 3))
    tensor = layers.Conv2D(8, 3, 2, "same", activation="relu")(layers.Rescaling(1 / 255)(image))
    scores = layers.Dense(6, "softmax")(layers.GlobalAveragePooling2D()(tensor))
    keras.Model(image, scores, name="six").save(folder / "model.keras")
    datasets.create("scenes", "val", folder / "scenes", size=48, val_images=6)
    (folder / "photos").mkdir()
    for index in range(3):
        pixels = np.random.default_rng(index).integers(0, 256, (40, 50 + index, 3), np.uint8)
        Image.fromarray(pixels).save(folder / "photos" / f"{index}.jpg")
    (folder / "photos" / "broken.jpg").write_bytes(b"no image")
    (folder / "photos" / "notes.txt").write_text("no image either")
    return folder


def command(capsys, place, *words, data=True):
    """Run it; return the exit status and what it printed."""
    source = ["--dataset.root", place / "scenes", *SIZE] if data else []
    status = main([str(w) for w in ("evaluate-maps", "--model", place / "model.keras", *source, *words)])
    captured = capsys.readouterr()
    return status, captured.out, captured.err


@pytest.mark.slow
def test_every_measure_on_scenes(place, capsys, tmp_path):
    words = [w for name in MEASURES for w in ("--measure", name)]
    words += ["--method", "grad_cam", "--method", "edges", "--steps", 5, "--shares", "0.2,0.8", "--stages", 2]
    words += ["--images", 4, "--randomised-images", 2, "--tolerance", 3, "--out", tmp_path / "maps.json"]
    status, out, err = command(capsys, place, *words)
    assert status == 0, err
    content = json.loads((tmp_path / "maps.json").read_text())
    assert list(content["methods"]) == ["grad_cam", "edges"]
    settings = content["settings"]
    expected = {
        "seed": 0,
        "steps": 5,
        "fill": "mean",
        "start": "blur",
        "tolerance": 3.0,
        "shares": [0.2, 0.8],
    }
    assert expected.items() <= settings.items() and settings["outputs"] == "probabilities"
    assert content["images"]["used"] == 4 <= content["images"]["maps"] and content["images"]["there"] == 6
    for row in content["methods"].values():
        found = row["measures"]
        assert set(found) == set(MEASURES) and row["set_aside"] == {}
        assert found["pxap"]["maps"] + found["pxap"]["without_object"] == content["images"]["maps"]
        assert found["insertion_deletion"]["maps"] == found["road"]["maps"] == content["images"]["maps"]
        assert found["parameter_randomisation"]["images"] == 2
        assert len(found["parameter_randomisation"]["rank_correlation"]) == 2
    # An edge map knows nothing of the model, so random weights change nothing.
    assert content["methods"]["edges"]["measures"]["parameter_randomisation"]["final_rank_correlation"] == 1
    assert content["methods"]["grad_cam"]["measures"]["parameter_randomisation"]["final_rank_correlation"] < 1
    table = [line for line in out.splitlines() if "│" in line]
    assert len(table) == 2 and "grad_cam" in table[0] and "edges" in table[1]
    assert f"{content['methods']['edges']['measures']['pxap']['pxap']:.3f}" in table[1]


def test_the_numbers_are_those_of_the_parts(place, capsys, tmp_path):
    words = ["--images", 0, "--steps", 4, "--measure", "max_box_acc", "--measure", "pxap", "--tolerance", 2]
    words += [
        "--measure",
        "pointing_game",
        "--measure",
        "insertion_deletion",
        "--out",
        tmp_path / "maps.json",
    ]
    assert command(capsys, place, *words)[0] == 0
    found = json.loads((tmp_path / "maps.json").read_text())["methods"]["grad_cam"]["measures"]

    model = keras.saving.load_model(place / "model.keras")
    explainer = explainers.create("grad_cam", model=model)
    dataset = datasets.create("scenes", "val", place / "scenes", size=48, val_images=6)
    boxes, pixels, points = MaxBoxAcc(), PixelAveragePrecision(), PointingGame(2)
    curves = InsertionDeletion(Scorer(model), 4)
    for record in dataset:
        small = Image.open(record.image).resize((32, 32), Image.Resampling.BILINEAR)
        image, mask = np.asarray(small, np.float32), read_mask(record.mask)
        for label in record.labels:
            index = dataset.classes.index(label)
            map_hw, true = explainer(image[None], [index])[0], mask == index + 1
            curves.update(image, map_hw, index)
            large = resized(map_hw, (48, 48))
            boxes.update(large, boxes_at_levels(true.astype(np.float32), [0.5])[0])
            pixels.update(large, true)
            points.update(large, true, label)
    for name, part, keys in (
        ("max_box_acc", boxes, ["max_box_acc_v2", "maps"]),
        ("pxap", pixels, ["pxap", "object_share"]),
        ("pointing_game", points, ["pointing_game", "pooled"]),
        ("insertion_deletion", curves, ["insertion", "deletion"]),
    ):
        for key in keys:
            assert found[name][key] == pytest.approx(part.result()[key], abs=1e-4), (name, key)


def test_photographs_without_masks(place, capsys, tmp_path):
    words = ["--photographs", place / "photos", "--steps", 2, "--out", tmp_path / "maps.json"]
    status, out, _ = command(capsys, place, *words, data=False)
    content = json.loads((tmp_path / "maps.json").read_text())
    assert status == 0 and "set aside: broken.jpg: " in out
    assert list(content["set_aside"]) == ["broken.jpg"] and content["images"]["used"] == 3
    found = content["methods"]["grad_cam"]["measures"]
    assert list(found) == ["sparseness", "insertion_deletion", "average_drop"]
    assert content["settings"]["targets"] == "top" and content["images"]["maps"] == 3
    status, _, err = command(
        capsys, place, "--photographs", place / "photos", "--measure", "pxap", data=False
    )
    assert status == 2 and "--measure pxap needs masks" in err


def test_the_models_first_class_against_any_object(place, capsys, tmp_path):
    words = ["--targets", "top", "--measure", "pointing_game", "--measure", "pxap", "--method", "random"]
    status, _, err = command(capsys, place, *words, "--out", tmp_path / "maps.json")
    assert status == 0, err
    content = json.loads((tmp_path / "maps.json").read_text())
    found = content["methods"]["random"]["measures"]
    assert list(found["pointing_game"]["by_class"]) == ["object"] and found["pxap"]["maps"] == 6
    masks = [read_mask(path) for path in sorted((place / "scenes/val/masks").glob("*.png"))]
    assert found["pxap"]["object_share"] == pytest.approx(np.mean([mask > 0 for mask in masks]))


def test_methods_already_measured_are_kept(place, capsys, tmp_path, monkeypatch):
    out = tmp_path / "maps.json"
    words = ["--measure", "sparseness", "--images", 2, "--out", out]
    assert command(capsys, place, *words, "--method", "centre")[0] == 0
    first = json.loads(out.read_text())["methods"]["centre"]
    monkeypatch.setitem(BASELINES, "centre", lambda images, targets: 1 / 0)
    status, printed, _ = command(capsys, place, *words, "--method", "centre", "--method", "edges")
    content = json.loads(out.read_text())
    assert status == 0 and "centre: measured before" in printed
    assert content["methods"]["centre"] == first and list(content["methods"]) == ["centre", "edges"]
    status, _, err = command(capsys, place, *words[:-2], "--seed", 1, "--out", out, "--method", "random")
    assert status == 2 and "has results of other settings" in err and "seed" in err
    assert json.loads(out.read_text()) == content
    out.write_text("[]")
    assert "is not a file of this command" in command(capsys, place, *words)[2]


def test_what_was_measured_stays_when_a_later_method_fails(place, capsys, tmp_path, monkeypatch):
    from wsseg.commands.evaluate_maps import command as implementation

    measure = implementation._measure

    def failing(name, *rest):
        if name == "random":
            raise KeyboardInterrupt
        return measure(name, *rest)

    monkeypatch.setattr(implementation, "_measure", failing)
    words = [
        "--measure",
        "sparseness",
        "--method",
        "centre",
        "--method",
        "random",
        "--out",
        tmp_path / "maps.json",
    ]
    status, _, err = command(capsys, place, *words)
    assert status == 130 and "resume with: wsseg evaluate-maps" in err
    assert list(json.loads((tmp_path / "maps.json").read_text())["methods"]) == ["centre"]


def test_an_image_whose_map_or_mask_is_broken_is_set_aside(place, capsys, tmp_path, monkeypatch):
    def broken(images, targets):
        if images[0, 0, 0, 0] == first:
            raise InputError("this one can't be explained")
        return BASELINES["centre"](images, targets)

    monkeypatch.setitem(BASELINES, "broken", broken)
    data = datasets.create("scenes", "val", place / "scenes", size=48, val_images=6)
    small = Image.open(data[2].image).resize((32, 32), Image.Resampling.BILINEAR)
    first = float(np.asarray(small)[0, 0, 0])
    root = tmp_path / "own"
    for kind in ("images", "masks"):
        (root / kind).mkdir(parents=True)
    rows = ["image,labels,split"]
    for record in data:
        Image.open(record.image).save(root / "images" / f"{record.id}.png")
        write_mask(root / "masks" / f"{record.id}.png", read_mask(record.mask))
        rows.append(f"{record.id}.png,{' '.join(record.labels)},val")
    (root / "labels.csv").write_text("\n".join(rows) + "\n")
    write_mask(root / "masks" / f"{data[0].id}.png", np.zeros((5, 5), np.uint8))
    words = ["--model", place / "model.keras", "--dataset.name", "folder", "--dataset.root", root]
    words += ["--dataset.classes", f"[{','.join(data.classes)}]", "--method", "broken", "--measure", "pxap"]
    assert main([str(w) for w in ("evaluate-maps", *words, "--out", tmp_path / "maps.json")]) == 0
    content, printed = json.loads((tmp_path / "maps.json").read_text()), capsys.readouterr().out
    assert (
        list(content["set_aside"]) == [data[0].id]
        and "they must be equal" in content["set_aside"][data[0].id]
    )
    assert content["methods"]["broken"]["set_aside"] == {data[2].id: "this one can't be explained"}
    assert f"broken: set aside: {data[2].id}" in printed


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (
            ["--method", "grad_cm"],
            "--method grad_cm: there is no such explainer or baseline; did you mean `grad_cam`",
        ),
        (["--measure", "pxab"], "--measure pxab: there is no such measure; did you mean `pxap`"),
        (["--method", "edges", "--method", "edges"], "--method edges is given twice"),
        (["--layer", "absent"], "--method grad_cam: .*absent"),
        (["--images", "-1"], "--images must be a whole number from 0; got -1"),
        (["--randomised-images", "0"], "--randomised-images must be at least 1"),
        (["--batch-size", "0"], "`batch_size` must be a whole number from 1"),
        (["--steps", "0"], "`steps` must be"),
        (["--stages", "0", "--measure", "parameter_randomisation"], "`stages` must be"),
        (["--fill", "blak"], "unknown fill `blak`; did you mean `black`"),
        (["--fill", "1,2,999"], "one number in"),
        (["--shares", "0.5,1", "--measure", "road"], "`shares` must be in"),
        (["--tolerance", "-1"], "`tolerance`"),
        (["--outputs", "logits"], "`outputs` must be one of"),
        (["--out", "absent/maps.json"], "--out absent/maps.json must be a file in an existing folder"),
        (["--split", "test"], "no split `test`"),
        (["--dataset.nam", "voc"], "unknown option `--dataset.nam`; did you mean `name`"),
        (["--dataset.classes", "[beetle,daisy]"], "6 outputs without names and the dataset 2 classes"),
        (["--class-map", "absent.txt"], "--class-map absent.txt cannot be read"),
        (["--photographs", "absent"], "--photographs takes no dataset beside it"),
    ],
)
def test_wrong_options(place, capsys, tmp_path, monkeypatch, words, message):
    monkeypatch.chdir(tmp_path)
    status, _, err = command(capsys, place, *words)
    assert status == 2 and err.startswith("wsseg: ") and "Traceback" not in err
    assert re.search(message, err), err
    assert not (tmp_path / "maps.json").exists()


def test_a_folder_without_photographs(place, capsys, tmp_path):
    for folder, message in ((tmp_path, "has no image"), (tmp_path / "absent", "is not a folder")):
        status, _, err = command(capsys, place, "--photographs", folder, data=False)
        assert status == 2 and message in err
    (tmp_path / "a.png").write_bytes(b"")
    status, _, err = command(capsys, place, "--photographs", tmp_path, data=False)
    assert status == 2 and "none of 1 images can be used; the first, `a.png`" in err


def test_words_of_the_command_and_of_the_dataset():
    words = ["evaluate-maps", "--dataset.root", "my data", "--model", "m.keras", "--fill", "1,2,3", "r.yaml"]
    assert recipe_options(words, command_options.is_own) == (
        ["evaluate-maps", "--model", "m.keras", "--fill", "1,2,3", "r.yaml"],
        ["--dataset.root=my data"],
    )


def test_measures_are_chosen_by_what_there_is():
    assert "road" not in chosen(Options("m"), True) and "pxap" in chosen(Options("m"), True)
    assert chosen(Options("m"), False) == ["sparseness", "insertion_deletion", "average_drop"]
    assert chosen(Options("m", measures=("road", "pxap")), True) == ["pxap", "road"]
