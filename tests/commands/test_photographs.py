import keras
import numpy as np
import pytest
from keras import layers
from PIL import Image

from wsseg.artifacts import Manifest
from wsseg.cli import main
from wsseg.commands import photographs
from wsseg.commands.classifiers import LoadedModel
from wsseg.commands.load_classifier import load_classifier
from wsseg.commands.photographs import explain
from wsseg.datasets.visible_files import visible_files
from wsseg.errors import InputError


def features():
    image = keras.Input((32, 48, 3))
    small = layers.Rescaling(1 / 255)(image)  # so that no score is 0 or 1
    return keras.Model(image, layers.Conv2D(4, 3, 2, "same", activation="relu")(small), name="features")


@pytest.fixture(scope="module")
def models(tmp_path_factory):
    """A functional classifier of three classes, and the same with its features nested, as `.keras` files."""
    folder = tmp_path_factory.mktemp("models")
    keras.utils.set_random_seed(0)
    base = features()
    flat = keras.Model(
        base.inputs, layers.Dense(3, "softmax")(layers.GlobalAveragePooling2D()(base.outputs[0]))
    )
    flat.save(folder / "flat.keras")
    image = keras.Input((32, 48, 3))
    scores = layers.Dense(3, "softmax")(layers.GlobalAveragePooling2D()(base(image)))
    nested = keras.Model(image, scores, name="nested")
    nested.set_weights(flat.get_weights())
    nested.save(folder / "nested.keras")
    return folder


@pytest.fixture
def photos(tmp_path):
    """Two photographs of different sizes, one that is broken, and one of the same name in another folder."""
    random = np.random.default_rng(0)
    for name, size in (("a.png", (60, 90, 3)), ("b.jpg", (80, 50, 3)), ("more/a.png", (30, 30, 3))):
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        Image.fromarray(random.integers(0, 256, size, np.uint8)).save(path)
    content = (tmp_path / "b.jpg").read_bytes()
    (tmp_path / "broken.jpg").write_bytes(content[: len(content) // 2])
    (tmp_path / "names.txt").write_text("cat\ndog\nsheep\n\n")
    return tmp_path


def command(capsys, *words):
    status = main(["explain", *map(str, words)])
    captured = capsys.readouterr()
    return status, captured.out, captured.err


@pytest.mark.parametrize("model", ["flat", "nested"])
def test_several_photographs_one_of_them_broken(models, photos, capsys, model):
    names = ["a.png", "broken.jpg", "b.jpg", "more/a.png"]
    words = [
        *(photos / name for name in names),
        "--model",
        models / f"{model}.keras",
        "--out",
        photos / "out",
    ]
    more = ["--class-names", photos / "names.txt", "--method", "cam", "--method", "grad_cam", "--top", 2]
    more += ["--sheet", "methods"]
    status, out, err = command(capsys, *words, *more)
    assert status == 2
    assert "1 of 4 photographs left out" in err and "broken.jpg" in err and "Traceback" not in err
    lines = out.splitlines()
    assert len(lines) == 5 and lines[0].startswith(f"{photos / 'a.png'}: ")
    assert sum(name in lines[0] for name in ("cat", "dog", "sheep")) == 2
    pictures = sorted((photos / "out").glob("*.png"))
    assert [path.name for path in pictures] == ["a.png", "b.png", "more_a.png"]
    others = {path.name for path in (photos / "out").iterdir()} - {path.name for path in pictures}
    assert others == {"scores.csv", "contact_sheet.jpg", "explain.json", ".explanations.json"}
    assert visible_files(photos / "out").images == ()  # none of them will be taken for a photograph
    for path in pictures:
        with Image.open(path) as image:
            # Two rows of three pictures of 2.6 inches at 150 dots.
            assert image.format == "PNG" and 1000 < image.width < 1400 and 300 < image.height < 1600


def test_nesting_changes_nothing(models, photos):
    flat, nested = (
        explain(photos / "a.png", load_classifier(models / name), ["cam"])
        for name in ("flat.keras", "nested.keras")
    )
    assert [item[:2] for item in flat[0]] == [item[:2] for item in nested[0]]
    assert [item[2] for item in flat[0]] == pytest.approx([item[2] for item in nested[0]])
    assert np.allclose(flat[1]["cam"], nested[1]["cam"], atol=1e-5) and flat[1]["cam"].max() > 0.9


def test_the_likeliest_classes_come_first_and_their_scores_are_the_models(models, photos):
    classifier = load_classifier(models / "flat.keras")
    classes, maps, image = explain(photos / "a.png", classifier, ["grad_cam", "cam"], top=3)
    small = np.array(Image.fromarray(image).resize((48, 32), Image.Resampling.BILINEAR), np.float32)[None]
    scores = keras.models.load_model(models / "flat.keras", compile=False).predict(small, verbose=0)[0]
    assert [index for index, _, _ in classes] == np.argsort(-scores).tolist()
    assert [score for _, _, score in classes] == pytest.approx(sorted(scores, reverse=True), abs=1e-5)
    assert [name for _, name, _ in classes] == [f"class {index}" for index, _, _ in classes]
    for stack in maps.values():
        assert stack.shape == (3, 60, 90) and stack.dtype == np.float32
        assert stack.min() >= 0 and stack.max() <= 1
    assert image.shape == (60, 90, 3)


def test_wanted_classes_by_name_or_number(models, photos):
    classifier = load_classifier(models / "flat.keras", class_names=["cat", "dog", "sheep"])
    classes, maps, _ = explain(photos / "a.png", classifier, ["cam"], wanted=["sheep", "0"])
    assert [(index, name) for index, name, _ in classes] == [(2, "sheep"), (0, "cat")]
    every = explain(photos / "a.png", classifier, ["cam"], wanted=["0", "1", "2"])[1]["cam"]
    assert np.allclose(maps["cam"], every[[2, 0]])
    with pytest.raises(InputError, match="the model has no class `dgo`; did you mean `dog`"):
        explain(photos / "a.png", classifier, ["cam"], wanted=["dgo"])
    with pytest.raises(InputError, match="the model has no class `3`"):
        explain(photos / "a.png", classifier, ["cam"], wanted=["3"])


def test_preprocessing_before_the_model(models, photos):
    raw, unit = (load_classifier(models / "flat.keras", preprocess=name) for name in ("none", "unit"))
    batch = np.full((1, 2, 2, 3), 255, np.float32)
    assert raw.preprocess(batch).max() == 255 and unit.preprocess(batch).max() == 1
    assert load_classifier(models / "flat.keras", preprocess="tf").preprocess(batch * 0).min() == -1
    # BGR less ImageNet's mean: blue first.
    caffe = load_classifier(models / "flat.keras", preprocess="resnet50").preprocess(batch)
    assert caffe[0, 0, 0] == pytest.approx([255 - 103.939, 255 - 116.779, 255 - 123.68], abs=1e-3)
    assert batch.min() == 255, "the caller's array was written to"
    with pytest.raises(InputError, match="unknown preprocessing `resnet5`; did you mean `resnet50`"):
        load_classifier(models / "flat.keras", preprocess="resnet5")


@pytest.mark.slow
def test_an_application_with_weights_by_path(photos, capsys, tmp_path):
    weights = tmp_path / "mobilenet_0.25.weights.h5"
    keras.applications.MobileNet(alpha=0.25, weights=None, classes=1000).save_weights(weights)
    for name in ("mobilenet_0.25", "mobilenet"):  # the width is in the name, or in the file
        words = ["--model", name, "--weights", weights, "--out", tmp_path / name, "--top", 1]
        status, out, err = command(capsys, photos / "b.jpg", *words)
        assert status == 0, err
        assert out.startswith(f"{photos / 'b.jpg'}: class ")
        assert (tmp_path / name / "b.png").stat().st_size > 1000
    status, _, err = command(capsys, photos / "b.jpg", "--model", "mobilenet_0.5", "--weights", weights)
    assert status == 2 and f"weights {weights} do not fit mobilenet_0.5" in err


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--model", "absent.keras"], "model absent.keras does not exist"),
        (["--model", "resnet5"], "neither a .keras file nor a network; did you mean `resnet50`"),
        (["--model", "resnet50_0.5", "--weights", "imagenet"], "neither a .keras file nor a network"),
        (["--model", "mobilenet"], "--model mobilenet needs --weights"),
        (["--model", "mobilenet", "--weights", "absent.h5"], "absent.h5"),
        (
            ["--model", "{models}/flat.keras", "--weights", "a.h5"],
            "has its own weights; remove --weights",
        ),
        (
            ["--model", "{models}/flat.keras", "--method", "grad_cm"],
            "unknown explainer `grad_cm`; did you mean `grad_cam`",
        ),
        (["--model", "{models}/flat.keras", "--top", "0"], "--top must be at least 1; got 0"),
        (["--model", "{models}/flat.keras", "--class", "zebra"], "the model has no class `zebra`"),
        (
            ["--model", "{models}/flat.keras", "--class-names", "absent.txt"],
            "--class-names absent.txt cannot be read",
        ),
        (
            ["--model", "{models}/flat.keras", "--class-names", "{photos}/labels.txt"],
            "2 class names were given for a model with 3",
        ),
        (["--model", "{photos}/names.keras"], "names.keras cannot be loaded"),
        (["--model", "{models}/flat.keras", "--out", "{photos}/a.png"], "a.png"),
    ],
)
def test_what_cannot_be_done_is_said_once(models, photos, capsys, words, message):
    (photos / "labels.txt").write_text("cat\ndog\n")
    (photos / "names.keras").write_text("no model")
    words = [word.format(models=models, photos=photos) for word in words]
    status, _, err = command(capsys, photos / "a.png", photos / "b.jpg", "--out", photos / "out", *words)
    assert status == 2 and err.startswith("wsseg: ") and err.count(message) == 1
    assert "photographs left out" not in err


def test_one_broken_photograph_alone(models, photos, capsys):
    status, _, err = command(
        capsys, photos / "broken.jpg", "--model", models / "flat.keras", "--out", photos / "out"
    )
    assert status == 2 and err.startswith(f"wsseg: image {photos / 'broken.jpg'} cannot be read")
    status, _, err = command(
        capsys, photos / "absent.jpg", "--model", models / "flat.keras", "--out", photos / "out"
    )
    assert status == 2 and "absent.jpg does not exist" in err


def test_a_runs_classifier_knows_its_classes(models, photos):
    folder = photos / "1_classify"
    folder.mkdir()
    (folder / "classifier.keras").write_bytes((models / "flat.keras").read_bytes())
    counts = {"classes": ["ant", "bee", "fly"]}
    Manifest("classify", {}, counts, {}, {}, 1.0, False, 1.0).save(folder)
    assert load_classifier(folder / "classifier.keras").class_names == ["ant", "bee", "fly"]
    given = load_classifier(folder / "classifier.keras", class_names=["1", "2", "3"])
    assert given.class_names == ["1", "2", "3"]


def test_models_that_do_not_take_a_photograph(photos):
    vector = keras.Sequential([keras.Input((4,)), layers.Dense(2)])
    dense = features()
    for model in (vector, dense):
        with pytest.raises(InputError, match="must take one image"):
            explain(photos / "a.png", LoadedModel(model, lambda batch: batch), ["grad_cam"])


def test_a_model_of_any_size_gets_the_photographs_shape(photos, monkeypatch):
    monkeypatch.setattr(photographs, "ANY_SIZE", 96)
    seen = []
    image = keras.Input((None, None, 3))
    pooled = layers.GlobalAveragePooling2D()(layers.Conv2D(2, 3, padding="same")(image))
    model = keras.Model(image, layers.Softmax()(pooled))

    def preprocess(batch):
        seen.append(batch.shape)
        return batch

    explain(photos / "a.png", LoadedModel(model, preprocess), ["grad_cam"], top=1)
    explain(photos / "b.jpg", LoadedModel(model, preprocess), ["grad_cam"], top=1)
    assert seen == [(1, 64, 96, 3), (1, 96, 64, 3)]


def test_a_photograph_is_never_overwritten(tmp_path, capsys):
    """It is refused before a model is loaded, also where the folder is written in another way."""
    photograph = tmp_path / "photo.png"
    Image.new("RGB", (8, 8)).save(photograph)
    before = photograph.read_bytes()
    for out in (tmp_path, tmp_path / "other" / ".."):
        (tmp_path / "other").mkdir(exist_ok=True)
        assert main(["explain", str(photograph), "--model", "none.keras", "--out", str(out)]) == 2
        assert (
            "photo.png is an input of the command and would be overwritten; choose another"
            in capsys.readouterr().err
        )
    assert photograph.read_bytes() == before
