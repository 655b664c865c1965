"""`wsseg predict`: masks of new photographs, by a segmenter of random weights."""

import csv

import keras
import numpy as np
import pytest
from examples.segmenter_checks import randomise
from PIL import Image
from small_run import network as tiny
from small_run.in_process import run_quietly

from wsseg import classifiers, segmenters
from wsseg.artifacts import read_mask, write_json
from wsseg.commands.found_photographs import find_photographs, name_photographs
from wsseg.errors import InputError
from wsseg.palette import voc_palette
from wsseg.recipe import load_recipe, to_plain
from wsseg.report.overlay import overlay
from wsseg.segmenters.restrict_to_labels import restrict_to_labels

NAMES = ("background", "cat", "dog")


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    """A run folder with a segmenter and a classifier, and the segmenter itself."""
    tiny.register()
    keras.utils.set_random_seed(0)
    options = {"backbone": "tiny", "output_stride": 8, "channels": 8}
    network = randomise(segmenters.create("deeplab_v3", num_classes=3, class_names=NAMES, **options))
    run = tmp_path_factory.mktemp("runs") / "pets"
    for stage in ("1_classify", "5_segment"):
        (run / stage).mkdir(parents=True)
    network.save(run / "5_segment/segmenter.keras")
    classifier = classifiers.create("gap", backbone="tiny", num_classes=2, class_names=NAMES[1:])
    classifier.save(run / "1_classify/classifier.keras")
    recipe = load_recipe(overrides=["--segment.flip=false"])
    owner = {"name": "pets", "file": None, "overrides": [], "options": to_plain(recipe)}
    write_json(run / "recipe.json", owner)
    return run, network


@pytest.fixture
def photos(tmp_path):
    """Photographs of odd sizes, one of them broken, two of one stem; beside them a file that is none."""
    random = np.random.default_rng(0)
    for name, size_hw in (("a.png", (64, 64)), ("b.png", (37, 53)), ("more/b.png", (50, 41))):
        path = tmp_path / "photos" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(random.integers(0, 256, (*size_hw, 3), np.uint8)).save(path)
    (tmp_path / "photos/notes.txt").write_text("no image")
    content = (tmp_path / "photos/a.png").read_bytes()
    (tmp_path / "cut.png").write_bytes(content[: len(content) // 2])
    return tmp_path / "photos"


def called(network, path):
    """Probabilities by calling the model, of an image whose sides need no filling up."""
    logits = network(np.asarray(Image.open(path), np.float32)[None]).numpy()[0]
    shifted = np.exp(logits - logits.max(-1, keepdims=True))
    return shifted / shifted.sum(-1, keepdims=True)


def rows(out):
    with (out / "shares.csv").open(newline="") as file:
        return {row["id"]: row for row in csv.DictReader(file)}


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def check_mask(mask, probabilities):
    """The mask is the argmax, up to pixels where two classes are equal to the rounding of float32."""
    highest = probabilities.max(-1)
    taken = np.take_along_axis(probabilities, mask[..., None].astype(int), -1)[..., 0]
    assert mask.shape == highest.shape and np.all(taken >= highest - 1e-5)


def test_a_folder(model, photos, tmp_path):
    run, network = model
    out = tmp_path / "out"
    status, output = run_quietly("predict", run, photos, "--out", out, "--overlay", "--probabilities")
    assert status == 0, output
    files = ["a.npz", "a.png", "b.npz", "b.png", "classes.txt", "overlays", "predict.json", "shares.csv"]
    assert names(out) == files and names(out / "overlays") == ["a.jpg", "b.jpg"]
    assert (out / "classes.txt").read_text() == "background\ncat\ndog\n"
    assert f"2 masks in {out}" in output
    mask = read_mask(out / "a.png")
    expected = called(network, photos / "a.png")
    check_mask(mask, expected)
    assert len(np.unique(mask)) > 1
    assert read_mask(out / "b.png").shape == (37, 53)
    with Image.open(out / "a.png") as image:
        assert image.mode == "P" and image.getpalette()[:6] == voc_palette()[:2].ravel().tolist()
    with np.load(out / "a.npz") as stored:
        np.testing.assert_allclose(stored["probabilities"], expected, atol=1e-3)  # float16
        assert stored["classes"].tolist() == list(NAMES)
    with Image.open(out / "overlays/a.jpg") as image:
        assert image.format == "JPEG" and image.size == (64, 64)
        painted = overlay(np.asarray(Image.open(photos / "a.png")), mask)
        assert np.abs(np.asarray(image, float) - painted).mean() < 30  # noise, as JPEG
    share = {name: float(rows(out)["a"][name]) for name in NAMES}
    assert share == pytest.approx({name: (mask == k).mean() for k, name in enumerate(NAMES)}, abs=1e-6)
    assert rows(out)["b"]["photograph"] == str((photos / "b.png").resolve())


def test_a_model_file_and_a_pattern(model, photos, tmp_path):
    file = model[0] / "5_segment/segmenter.keras"
    status, output = run_quietly("predict", file, f"{photos}/**/b.*", "--out", tmp_path / "out")
    assert status == 0, output
    assert names(tmp_path / "out") == ["b.png", "classes.txt", "more_b.png", "predict.json", "shares.csv"]


def test_equal_stems_get_names_that_stay(model, photos, tmp_path):
    out = tmp_path / "out"
    words = (photos / "b.png", photos / "more/b.png")
    status, output = run_quietly("predict", model[0], *words, "--out", out)
    assert (
        status == 0 and f"{words[1]}: b.png belongs to another photograph; its mask is more_b.png" in output
    )
    assert read_mask(out / "b.png").shape == (37, 53) and read_mask(out / "more_b.png").shape == (50, 41)
    # In another order, with one more of that name: no mask goes to another photograph.
    before = {name: (out / name).stat().st_mtime_ns for name in ("b.png", "more_b.png")}
    (tmp_path / "other").mkdir()
    Image.new("RGB", (40, 33)).save(tmp_path / "other/b.jpg")
    status, output = run_quietly("predict", model[0], tmp_path / "other", *words[::-1], "--out", out)
    assert status == 0, output
    assert {name: (out / name).stat().st_mtime_ns for name in before} == before
    assert read_mask(out / "other_b.png").shape == (33, 40)
    assert {id: row["photograph"] for id, row in rows(out).items()} == {
        "b": str(words[0].resolve()),
        "more_b": str(words[1].resolve()),
        "other_b": str((tmp_path / "other/b.jpg").resolve()),
    }


def test_a_broken_photograph_is_reported_at_the_end(model, photos, tmp_path):
    out = tmp_path / "out"
    words = (tmp_path / "cut.png", photos / "a.png", photos / "absent.png")
    status, output = run_quietly("predict", model[0], *words, "--out", out)
    assert status == 2 and "Traceback" not in output
    assert f"1 mask in {out}" in output and "2 of 3 photographs left out" in output
    assert "cut.png cannot be read" in output and "absent.png does not exist" in output
    assert list(rows(out)) == ["a"] and (out / "a.png").exists() and not (out / "cut.png").exists()
    status, output = run_quietly("predict", model[0], tmp_path / "cut.png", "--out", out)
    assert status == 2 and f"wsseg: image {tmp_path / 'cut.png'} cannot be read" in output


def test_what_is_there_is_kept(model, photos, tmp_path):
    out = tmp_path / "out"
    assert run_quietly("predict", model[0], photos / "a.png", "--out", out)[0] == 0
    marked = np.full((64, 64), 2, np.uint8)
    Image.fromarray(marked).save(out / "a.png")  # as if it had been predicted so
    status, output = run_quietly("predict", model[0], photos, "--out", out, "--overlay")
    assert status == 0, output
    np.testing.assert_array_equal(read_mask(out / "a.png"), marked)
    assert (out / "b.png").exists() and names(out / "overlays") == ["a.jpg", "b.jpg"]
    with Image.open(out / "overlays/a.jpg") as image:
        greenish = np.asarray(image, float).mean((0, 1))
        assert greenish[1] > greenish[0] + 30  # of the mask that was there
    # Probabilities alone are missing: they come, and masks stay.
    assert run_quietly("predict", model[0], photos / "a.png", "--out", out, "--probabilities")[0] == 0
    np.testing.assert_array_equal(read_mask(out / "a.png"), marked)
    assert (out / "a.npz").exists()


def test_masks_of_another_way_are_not_mixed(model, photos, tmp_path):
    out = tmp_path / "out"
    words = ("predict", model[0], photos / "a.png", "--out", out)
    assert run_quietly(*words)[0] == 0
    status, output = run_quietly(*words, "--labels", "cat")
    assert status == 2 and "predicted in another way (labels was None, now ['cat'])" in output
    status, output = run_quietly(
        "predict", model[0] / "5_segment/segmenter.keras", photos / "a.png", "--out", out
    )
    assert status == 2 and "flip was False, now True" in output


def test_labels(model, photos, tmp_path):
    run, network = model
    words = ("predict", run, photos / "a.png", "--out", tmp_path / "out")
    assert run_quietly(*words, "--labels", "dog")[0] == 0
    expected = np.asarray(restrict_to_labels(called(network, photos / "a.png"), np.array([0, 1])))
    mask = read_mask(tmp_path / "out/a.png")
    check_mask(mask, expected)
    assert 1 not in mask and 1 in called(network, photos / "a.png").argmax(-1)
    status, output = run_quietly(*words[:-1], tmp_path / "other", "--labels", "dgo")
    assert (
        status == 2 and "no class `dgo`; did you mean `dog`" in output and not (tmp_path / "other").exists()
    )


def test_photographs_are_never_overwritten(model, photos, tmp_path):
    before = {path: path.read_bytes() for path in photos.iterdir() if path.is_file()}
    status, output = run_quietly("predict", model[0], photos, "--out", photos)
    assert status == 2 and "is the folder of the photographs" in output and f"{photos / 'masks'}" in output
    status, output = run_quietly("predict", model[0], photos / "a.png", "--out", photos)
    assert status == 2 and "is an input of the command and would be overwritten; choose another" in output
    (tmp_path / "linked").symlink_to(photos, target_is_directory=True)
    status, output = run_quietly("predict", model[0], photos / "a.png", "--out", tmp_path / "linked")
    assert status == 2 and "would be overwritten" in output
    # A photograph of another folder has the mask's name: it is not this command's to replace, or to keep as a mask.
    status, output = run_quietly("predict", model[0], photos / "more/b.png", "--out", photos)
    assert status == 2 and "which `wsseg predict` has not written" in output
    assert {path: path.read_bytes() for path in photos.iterdir() if path.is_file()} == before


def test_what_is_no_segmenter(model, photos, tmp_path):
    words = (photos / "a.png", "--out", tmp_path / "out")
    status, output = run_quietly("predict", model[0] / "1_classify/classifier.keras", *words)
    assert status == 2 and "holds a classifier" in output and "wsseg.load(" in output
    status, output = run_quietly("predict", tmp_path / "absent", *words)
    assert status == 2 and "absent does not exist; give a run folder" in output
    status, output = run_quietly("predict", model[0], tmp_path / "runs-*.jpg", "--out", tmp_path / "out")
    assert status == 2 and "runs-*.jpg fits no image" in output
    (tmp_path / "empty").mkdir()
    status, output = run_quietly("predict", model[0], tmp_path / "empty", "--out", tmp_path / "out")
    assert status == 2 and "holds no image" in output
    assert not (tmp_path / "out").exists()


def test_explain_takes_a_run_and_names_its_classes(model, photos, tmp_path):
    words = ("--method", "cam", "--out", tmp_path / "out")
    status, output = run_quietly("explain", photos / "a.png", "--model", model[0], *words)
    assert status == 0, output
    assert "cat " in output and "dog " in output and (tmp_path / "out/a.png").exists()
    write_json(tmp_path / "recipe.json", {})
    status, output = run_quietly("explain", photos / "a.png", "--model", tmp_path, *words)
    assert status == 2 and "has no trained classifier yet (no 1_classify/classifier.keras)" in output


def test_found_photographs(photos):
    found = find_photographs(
        [str(photos), str(photos / "a.png"), f"{photos}/*/*.png", str(photos / "gone.jpg")]
    )
    assert [path.relative_to(photos).as_posix() for path in found] == [
        "a.png",
        "b.png",
        "more/b.png",
        "gone.jpg",
    ]
    inside = find_photographs([f"{photos}/**/*.png"], without=photos / "more")
    assert [path.name for path in inside] == ["a.png", "b.png"]
    with pytest.raises(InputError, match="fits no image"):
        find_photographs([f"{photos}/*.txt"])
    # `x.png` and `X.png` are one file on some systems.
    assert list(name_photographs([photos / "x.jpg", photos / "more/X.jpg"])) == ["x", "more_X"]
