"""A folder of X-rays from the command line: overlays, maps, scores, contact sheet, and what is said."""

import csv
import warnings
from pathlib import Path

import keras
import numpy as np
import pytest
from keras import applications, layers
from PIL import Image

from wsseg import explainers
from wsseg.cli import main
from wsseg.commands.preprocessing import TORCH_MEAN, TORCH_STD

NAMES = [
    *(
        "Atelectasis",
        "Cardiomegaly",
        "Effusion",
        "Infiltration",
        "Mass",
        "Nodule",
        "Pneumonia",
        "Pneumothorax",
    ),
    *("Consolidation", "Edema", "Emphysema", "Fibrosis", "Pleural_Thickening", "Hernia"),
]
SIDE, COUNT = 32, 5


def classifier(channels=3, units=14, end="sigmoid", side=SIDE, spread=8.0):
    """Return a small classifier whose scores differ."""
    keras.utils.set_random_seed(3)
    image = keras.Input((side, side, channels))
    tensor = layers.Conv2D(8, 3, 2, activation="relu", name="conv2_block1_concat")(image)
    tensor = layers.Conv2D(8, 3, activation="relu")(tensor)
    head = layers.Dense(units, end)
    model = keras.Model(image, head(layers.GlobalAveragePooling2D()(tensor)))
    kernel, bias = head.get_weights()
    head.set_weights([kernel * spread, bias])
    return model


def write_xrays(folder, count=COUNT, sides=(50, 40)):
    folder.mkdir()
    random = np.random.default_rng(0)
    for index in range(count):
        small = Image.fromarray(random.integers(0, 256, (6, 6), np.uint8))
        small.resize(sides, Image.Resampling.BICUBIC).save(folder / f"p{index}.png")
    return folder


@pytest.fixture(scope="module")
def room(tmp_path_factory):
    folder = tmp_path_factory.mktemp("xrays")
    classifier().save(folder / "m.keras")
    (folder / "names.csv").write_text("\n".join(NAMES) + "\n")
    write_xrays(folder / "photos")
    return folder


def command(capsys, *words):
    status = main(["explain", *map(str, words)])
    captured = capsys.readouterr()
    return status, captured.out, captured.err


def read_table(path):
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def test_a_folder_of_gray_xrays(room, tmp_path, capsys):
    words = [room / "photos", "--model", room / "m.keras", "--class-names", room / "names.csv"]
    status, out, err = command(
        capsys, *words, "--preprocess", "torch", "--out", tmp_path / "OUT", "--save", "npz"
    )
    assert status == 0 and "PREPROCESSING" not in err
    rows = read_table(tmp_path / "OUT" / "scores.csv")
    assert [row["id"] for row in rows] == [f"p{index}" for index in range(COUNT)]
    model = keras.saving.load_model(room / "m.keras")
    explainer = explainers.create("grad_cam", model=model)
    for row in rows:
        gray = keras.utils.load_img(
            room / "photos" / f"{row['id']}.png", target_size=(SIDE, SIDE), interpolation="bilinear"
        )
        batch = ((np.asarray(gray, np.float32) / 255 - TORCH_MEAN) / TORCH_STD)[None]
        scores = np.asarray(model(batch))[0]
        np.testing.assert_allclose([float(row[name]) for name in NAMES], scores, atol=1e-4)
        expected = [NAMES[i] for i in np.argsort(-scores) if scores[i] >= 0.5] or [NAMES[scores.argmax()]]
        files = {path.stem for path in (tmp_path / "OUT" / "overlays" / row["id"]).glob("*.jpg")}
        assert files == set(expected)
        with np.load(tmp_path / "OUT" / "maps" / f"{row['id']}.npz") as saved:
            assert saved["classes"].tolist() == expected and str(saved["method"]) == "grad_cam"
            assert saved["maps"].shape == (len(expected), 40, 50) and saved["image_size_hw"].tolist() == [
                40,
                50,
            ]
            assert (
                saved["model_size_hw"].tolist() == [SIDE, SIDE]
                and 0 <= saved["maps"].min() <= saved["maps"].max() <= 1
            )
            indices = saved["class_indices"]
            raw = explainer.raw(batch, indices[None])[0]
            np.testing.assert_allclose(saved["raw"], raw, rtol=1e-3, atol=1e-6 * np.abs(raw).max())
            whole = explainer(batch, indices[None])[0]
            placed = [Image.fromarray(one).resize((50, 40), Image.Resampling.BILINEAR) for one in whole]
            np.testing.assert_allclose(saved["maps"], np.stack(placed), atol=2e-3)
        with Image.open(next((tmp_path / "OUT" / "overlays" / row["id"]).glob("*.jpg"))) as overlay:
            assert overlay.size == (50, 40)
    with Image.open(tmp_path / "OUT" / "contact_sheet.jpg") as sheet:
        assert 900 < sheet.width < 2000 and sheet.height > 400
    assert "scores of all classes:" in out and "contact sheet:" in out


def test_threshold_classes_and_top(room, tmp_path, capsys):
    base = [
        room / "photos" / "p0.png",
        "--model",
        room / "m.keras",
        "--preprocess",
        "torch",
        "--out",
        tmp_path,
    ]
    for more, count in (
        (["--threshold", 2], 1),
        (["--class", "all"], 14),
        (["--top", 2, "--threshold", 0], 2),
    ):
        status, out, _ = command(capsys, *base, *more, "--sheet", "overlays")
        assert status == 0
        assert out.splitlines()[0].count("class ") == count, more
    assert len(list((tmp_path / "overlays" / "p0").iterdir())) == 14


def test_a_broken_image_is_set_aside(room, tmp_path, capsys):
    write_xrays(tmp_path / "photos", 2)
    (tmp_path / "photos" / "p1.png").write_bytes(b"\x89PNG")
    words = [
        tmp_path / "photos",
        "--model",
        room / "m.keras",
        "--preprocess",
        "torch",
        "--out",
        tmp_path / "out",
    ]
    status, _, err = command(capsys, *words)
    assert status == 2 and "1 of 2 photographs left out" in err and "p1.png" in err
    assert [row["id"] for row in read_table(tmp_path / "out" / "scores.csv")] == ["p0"]
    assert (tmp_path / "out" / "contact_sheet.jpg").exists()


def test_the_model_is_loaded_and_traced_once(room, tmp_path, capsys, monkeypatch):
    from wsseg.commands import classifiers, load_classifier

    loads, made = [], []
    load, create = load_classifier.load_model, classifiers.as_text.create
    monkeypatch.setattr(load_classifier, "load_model", lambda *x: loads.append(x) or load(*x))

    def keep(*args):
        made.append(create(*args))
        return made[-1]

    monkeypatch.setattr(classifiers.as_text, "create", keep)
    words = [
        room / "photos",
        "--model",
        room / "m.keras",
        "--preprocess",
        "torch",
        "--out",
        tmp_path,
        "--top",
        2,
    ]
    assert command(capsys, *words)[0] == 0
    (function,) = made[0]._functions.values()
    assert len(loads) == len(made) == 1 and function.experimental_get_tracing_count() == 1


def test_missing_and_double_preprocessing_are_said(room, tmp_path, capsys):
    base = [room / "photos" / "p0.png", "--out", tmp_path / "out", "--sheet", "overlays"]
    _, _, err = command(capsys, *base, "--model", room / "m.keras")
    assert err.count("NO PREPROCESSING") == 1 and "keras.applications.densenet: --preprocess densenet" in err
    assert (
        "PREPROCESSING" not in command(capsys, *base, "--model", room / "m.keras", "--preprocess", "none")[2]
    )
    image = keras.Input((SIDE, SIDE, 3))
    keras.Model(image, classifier()(layers.Rescaling(1 / 255, name="own")(image))).save(
        tmp_path / "own.keras"
    )
    assert "warning" not in command(capsys, *base, "--model", tmp_path / "own.keras")[2]
    _, _, err = command(capsys, *base, "--model", tmp_path / "own.keras", "--preprocess", "torch")
    assert "the model has preprocessing of its own (own)" in err


def test_logits_are_called_scores_until_it_is_known_what_they_become(room, tmp_path, capsys):
    classifier(end=None).save(tmp_path / "logits.keras")
    base = [room / "photos" / "p0.png", "--model", tmp_path / "logits.keras", "--preprocess", "torch"]
    base += ["--out", tmp_path / "out", "--sheet", "overlays"]
    status, out, err = command(capsys, *base)
    assert (
        status == 0 and " score " in out and "not known how the model's outputs become probabilities" in err
    )
    assert command(capsys, *base, "--threshold", 0.5)[0] == 2
    status, out, err = command(capsys, *base, "--outputs", "sigmoid")
    assert status == 0 and " score " not in out.splitlines()[0] and "not known" not in err
    expected = read_table(tmp_path / "out" / "scores.csv")[0]
    command(
        capsys,
        room / "photos" / "p0.png",
        "--model",
        room / "m.keras",
        "--preprocess",
        "torch",
        "--out",
        tmp_path / "o",
    )
    same = read_table(tmp_path / "o" / "scores.csv")[0]
    assert [float(expected[f"class {i}"]) for i in range(14)] == pytest.approx(
        [float(same[f"class {i}"]) for i in range(14)], abs=1e-4
    )


def test_empty_maps_are_said_and_why(room, tmp_path, capsys):
    """One class is against all that is seen; one does not depend on the image at all."""
    image = keras.Input((SIDE, SIDE, 1))
    light = layers.Conv2D(1, 4, 4, activation="relu", use_bias=False, kernel_initializer="ones")(image)
    head = layers.Dense(3, "sigmoid")
    model = keras.Model(image, head(layers.GlobalAveragePooling2D()(light)))
    head.set_weights([np.array([[1e-3, -1e-3, 0.0]]), np.zeros(3)])
    model.save(tmp_path / "light.keras")
    words = [room / "photos" / "p0.png", "--model", tmp_path / "light.keras", "--preprocess", "none"]
    status, _, err = command(
        capsys, *words, "--class", "all", "--out", tmp_path / "out", "--sheet", "overlays"
    )
    assert status == 0
    lines = [line for line in err.splitlines() if "empty map" in line]
    assert len(lines) == 2
    assert "p0.png (class 1)" in lines[0] and "speaks against the class" in lines[0]
    assert "p0.png (class 2)" in lines[1] and "the score does not change with layer" in lines[1]


def test_an_unknown_place_is_said(room, tmp_path, capsys, monkeypatch):
    words = [
        room / "photos" / "p0.png",
        "--model",
        room / "m.keras",
        "--preprocess",
        "torch",
        "--sheet",
        "overlays",
    ]
    assert "not known where" not in command(capsys, *words, "--out", tmp_path)[2]
    monkeypatch.setattr(explainers.core.Explainer, "grid", None)
    _, _, err = command(capsys, *words, "--out", tmp_path)
    assert "note: grad_cam: it is not known where in the image layer `conv2d" in err


def test_a_saved_model_is_explained_without_layers(room, tmp_path, capsys):
    classifier().export(tmp_path / "saved", verbose=False)
    words = [room / "photos" / "p0.png", "--model", tmp_path / "saved", "--preprocess", "torch"]
    words += ["--out", tmp_path / "out", "--sheet", "overlays"]
    status, out, err = command(capsys, *words)
    assert status == 0 and "the method is occlusion" in err and "class " in out
    status, _, err = command(capsys, *words, "--method", "grad_cam")
    assert status == 2 and "choose --method occlusion, rise, smooth_grad, integrated_gradients" in err
    for method in ("rise:samples=20", "integrated_gradients:steps=4"):
        assert command(capsys, *words, "--method", method)[0] == 0


@pytest.mark.parametrize("form", ["h5", "quantised"])
def test_other_forms_of_models(room, tmp_path, capsys, form):
    model = classifier()
    if form == "quantised":
        with warnings.catch_warnings(action="ignore"):  # that pooling has nothing to quantise
            model.quantize("int8")
    path = tmp_path / ("model.h5" if form == "h5" else "model.keras")
    model.save(path)
    words = [room / "photos" / "p0.png", "--model", path, "--preprocess", "torch", "--out", tmp_path / "out"]
    status, out, err = command(capsys, *words, "--sheet", "overlays", "--method", "grad_cam")
    assert status == 0 and "class " in out, err


def test_sizes(room, tmp_path, capsys):
    image = keras.Input((None, None, 3))
    pooled = layers.GlobalAveragePooling2D()(
        layers.Conv2D(2, 3, activation="relu")(layers.Rescaling(1 / 255)(image))
    )
    keras.Model(image, layers.Dense(2, "softmax")(pooled)).save(tmp_path / "any.keras")
    base = [room / "photos" / "p0.png", "--out", tmp_path, "--save", "npz", "--sheet", "overlays"]
    for size, expected in (("64", [64, 64]), ("128", [96, 128]), ("50x70", [50, 70])):
        assert command(capsys, *base, "--model", tmp_path / "any.keras", "--size", size)[0] == 0
        with np.load(tmp_path / "maps" / "p0.npz") as saved:
            assert saved["model_size_hw"].tolist() == expected and saved["maps"].shape[1:] == (40, 50)
    status, _, err = command(capsys, *base, "--model", room / "m.keras", "--size", "64")
    assert status == 2 and "--size 64x64: the model takes images of 32 x 32" in err


def test_several_methods_and_names_that_differ_in_case(room, tmp_path, capsys):
    (tmp_path / "names.txt").write_text("a/b\nA b\na b\n" + "".join(f"n{i}\n" for i in range(11)))
    words = [
        room / "photos" / "p0.png",
        "--model",
        room / "m.keras",
        "--preprocess",
        "torch",
        "--class",
        "all",
    ]
    words += [
        "--class-names",
        tmp_path / "names.txt",
        "--method",
        "grad_cam",
        "--method",
        "hires_cam",
        "--save",
        "npz",
    ]
    assert command(capsys, *words, "--out", tmp_path / "out", "--sheet", "overlays")[0] == 0
    for method in ("grad_cam", "hires_cam"):
        files = [path.name for path in (tmp_path / "out" / "overlays" / method / "p0").iterdir()]
        assert len({name.lower() for name in files}) == 14 and {"a_b.jpg", "A_b_1.jpg", "a_b_2.jpg"} <= set(
            files
        )
        assert (tmp_path / "out" / "maps" / method / "p0.npz").exists()


def test_what_explain_has_written_is_no_photograph(room, tmp_path, capsys):
    write_xrays(tmp_path / "photos", 2)
    words = ["--model", room / "m.keras", "--preprocess", "torch"]
    assert command(capsys, tmp_path / "photos", *words, "--out", tmp_path / "photos" / "one")[0] == 0
    pattern = tmp_path / "photos" / "**" / "*.*g"
    status, _, _ = command(capsys, pattern, *words, "--out", tmp_path / "two")
    assert status == 0 and len(read_table(tmp_path / "two" / "scores.csv")) == 2


@pytest.mark.slow
@pytest.mark.parametrize("channels", [1, 3])
def test_densenet_on_xrays_of_its_own_size(tmp_path, capsys, channels):
    write_xrays(tmp_path / "photos", 3, (512, 512))
    body = applications.DenseNet121(
        include_top=False, weights=None, input_shape=(512, 512, channels), pooling="avg"
    )
    keras.Model(body.inputs, layers.Dense(14, "sigmoid")(body.outputs[0])).save(tmp_path / "m.keras")
    (tmp_path / "names.csv").write_text("\n".join(NAMES))
    words = [tmp_path / "photos", "--model", tmp_path / "m.keras", "--class-names", tmp_path / "names.csv"]
    status, _, err = command(
        capsys, *words, "--preprocess", "torch", "--out", tmp_path / "OUT", "--save", "npz"
    )
    assert status == 0 and ("their average is used" in err) == (channels == 1)
    assert len(read_table(tmp_path / "OUT" / "scores.csv")) == 3
    for path in sorted(Path(tmp_path / "OUT" / "maps").iterdir()):
        with np.load(path) as saved:
            assert str(saved["layer"]) == "relu" and saved["raw"].shape[1:] == (16, 16)
