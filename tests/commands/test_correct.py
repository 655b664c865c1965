"""`wsseg correct` and `wsseg export-masks` on a run folder whose label stage is done."""

import json
import shutil
import zipfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from small_run.in_process import run_quietly

from wsseg.artifacts import Manifest, read_mask, write_mask
from wsseg.cli import main
from wsseg.commands.correct import _with_records
from wsseg.commands.mask_sources import FoundMask
from wsseg.commands.run_masks import ImageNames
from wsseg.datasets import Dataset, Record
from wsseg.engine.definitions import Definitions
from wsseg.engine.made_files import write_made_files
from wsseg.engine.preflight.supervision import check_supervision
from wsseg.engine.run_folder import claim, locked
from wsseg.engine.states import States
from wsseg.errors import InputError
from wsseg.palette import colourise
from wsseg.recipe.reading import load_recipe
from wsseg.stages.label.corrected import corrected_ids, write_corrected_masks
from wsseg.stages.label.given_masks import given_ids
from wsseg.supervision.splits import Splits
from wsseg.supervision.training_images import training_data

SIZES = {"a": (20, 24), "b": (20, 24), "c.d": (24, 20), "e": (20, 24), "turned": (30, 20)}
LABELS = {"a": "cat", "b": "dog", "c.d": "cat dog", "e": "cat", "turned": "cat"}


def mask_of(id):
    mask = np.zeros(SIZES[id], np.uint8)
    mask[3:9, 4:12] = {"b": 2, "e": 0}.get(id, 1)
    if id == "c.d":
        mask[10:, 10:], mask[0] = 2, 255
    return mask


@pytest.fixture
def photographs(tmp_path):
    root = tmp_path / "photographs"
    (root / "images").mkdir(parents=True)
    for number, (id, (height, width)) in enumerate(SIZES.items()):
        pixels = np.random.default_rng(number).integers(0, 256, (height, width, 3), np.uint8)
        exif = Image.Exif()
        if id == "turned":  # stored lying, shown upright
            pixels, exif[0x0112] = np.ascontiguousarray(np.rot90(pixels)), 6
        Image.fromarray(pixels).save(root / f"images/{id}.jpg", exif=exif)
    Image.fromarray(pixels).save(root / "images/val.jpg")
    rows = [f"{id}.jpg,{labels},train" for id, labels in LABELS.items()]
    (root / "labels.csv").write_text("\n".join(["image,labels,split", *rows, "val.jpg,cat,val"]) + "\n")
    return root


@pytest.fixture
def recipe(photographs):
    def build(*words):
        base = ["--name=test", "--dataset.name=folder", f"--dataset.root={photographs}"]
        return load_recipe(overrides=[*base, *(f"--{word}" for word in words)])

    return build


@pytest.fixture
def run(recipe, tmp_path):
    """A run folder whose label stage is done."""
    run = tmp_path / "a run"
    run.mkdir()
    claim(recipe(), run, (None, []))
    label = run / "4_label"
    (label / "masks").mkdir(parents=True)
    for id in SIZES:
        write_mask(label / f"masks/{id}.png", mask_of(id))
    write_made_files(label, {})
    Manifest("label", {"options": {}, "data": {}, "inputs": {}}, {}, {}, {}, 0.0, False, 0.0).save(label)
    return run


@pytest.fixture
def painted(tmp_path):
    """A folder as a user has it: RGB files of a copied folder of masks, `a` and `turned` mended."""
    folder = tmp_path / "painted"
    folder.mkdir()
    for id in SIZES:
        Image.fromarray(colourise(mended(id) if id in ("a", "turned") else mask_of(id))).save(
            folder / f"{id}.png"
        )
    return folder


def mended(id):
    mask = mask_of(id)
    mask[12:15, 2:5], mask[-1, -1] = 2, 255
    return mask


def taken(run):
    return {path.stem: read_mask(path) for path in sorted((run / "corrected_masks").glob("*.png"))}


def correct(run, *words):
    status, output = run_quietly("correct", run, *words)
    assert status == 0, output
    return output


def refused(run, *words):
    before = taken(run)
    status, output = run_quietly("correct", run, *words)
    assert status == 2 and output.startswith("wsseg: ") and output.count("\n") == 1, output
    assert list(taken(run)) == list(before) and not list(run.glob(".corrected*")), "nothing is half taken"
    return output


def test_the_mended_masks_of_a_folder_are_taken(run, painted):
    output = correct(run, painted)
    assert {id: mask.tolist() for id, mask in taken(run).items()} == {
        id: mended(id).tolist() for id in ("a", "turned")
    }
    assert f"2 corrected masks taken; {run / 'corrected_masks'} has 2 now" in output
    assert "3 masks are as the run has them and were left out; --all takes" in output
    assert (
        "warning: 2 of 2 corrected masks have a class that the image's labels lack (dog in 2), such as `a`"
        in output
    )
    assert f"next: wsseg run --run '{run}'" in output
    assert (run / "corrected_masks/classes.txt").read_text().split() == ["background", "cat", "dog"]
    assert "none of the 5 masks differs from what the run has" in refused(run, painted)
    assert "3 corrected masks taken" in correct(run, painted, "--all")
    assert len(taken(run)) == 5


def test_a_mask_can_be_corrected_again(run, painted):
    correct(run, painted)
    again = np.zeros(SIZES["a"], np.uint8)
    Image.fromarray(again).save(painted / "a.png")
    assert "1 corrected mask taken" in correct(run, painted / "a.png", painted / "turned.png")
    assert not taken(run)["a"].any() and len(taken(run)) == 2
    # Back to the pseudo-mask: it differs from the corrected mask, so it counts.
    write_mask(painted / "a.png", mask_of("a"))
    correct(run, painted / "a.png")
    assert np.array_equal(taken(run)["a"], mask_of("a"))


def test_one_mask_that_cannot_be_used_stops_all(run, painted):
    write_mask(painted / "turnd.png", mask_of("a"))
    text = refused(run, painted)
    assert (
        "the training split `train` has no image `turnd`; did you mean `turned`?; no mask was taken" in text
    )
    write_mask(painted / "turnd.png", np.full((20, 24), 3, np.uint8))
    Image.fromarray(np.full((20, 24), 3, np.uint8)).save(painted / "b.png")
    text = refused(run, painted)
    assert "b.png has 480 pixels of unknown colour (3, 3, 3)" in text
    assert "; 1 more of the 6 masks cannot be used; no mask was taken" in text
    write_mask(painted / "val.png", np.zeros((20, 30), np.uint8))
    assert "has no image `val`" in refused(run, painted / "val.png")


def test_the_size_is_that_of_the_upright_photograph(run, painted):
    lying = np.ascontiguousarray(np.rot90(mended("turned")))
    write_mask(painted / "turned.png", lying)
    text = refused(run, painted / "turned.png")
    assert "is 30 x 20 pixels but its image is 20 x 30 (width x height); turn it as viewers show" in text


def test_two_masks_of_one_image(run, painted, tmp_path):
    (tmp_path / "more").mkdir()
    shutil.copy(painted / "a.png", tmp_path / "more")
    assert "are of one image; give one of the two" in refused(run, painted, tmp_path / "more")


def test_smoothed_edges(run, painted):
    pixels = colourise(mended("a"))
    pixels[3, 4:12] = (64, 0, 0)
    Image.fromarray(pixels).save(painted / "a.png")
    text = refused(run, painted)
    assert "8 pixels of unknown colour (64, 0, 0), the first at column 4, row 3" in text
    output = correct(run, painted, "--unknown", "ignore")
    assert "8 pixels of unknown colour in 1 masks became 255" in output
    expected = mended("a")
    expected[3, 4:12] = 255
    assert np.array_equal(taken(run)["a"], expected)


def test_masks_edited_in_the_run_folder(run):
    write_mask(run / "4_label/masks/c.d.png", mended("c.d"))
    Image.fromarray(colourise(mended("b"))).save(run / "4_label/masks/b.png")
    assert "2 corrected masks taken" in correct(run, "--edited")
    assert {id: mask.tolist() for id, mask in taken(run).items()} == {
        id: mended(id).tolist() for id in ("b", "c.d")
    }
    correct(run, "--undo", "b", "c.d")
    assert not list((run / "corrected_masks").iterdir())
    assert "2 corrected masks taken" in correct(run, run / "4_label/masks"), "the folder by its path"


def test_nothing_was_edited(run):
    assert "no mask in" in refused(run, "--edited")


def test_the_state_names_the_command_for_edited_masks(run, splits):
    write_mask(run / "4_label/masks/b.png", mended("b"))
    why = States(Definitions(splits), run).of("label").why
    assert "`4_label/masks/b.png` was changed since; it will be made again" in why
    assert f"wsseg correct '{run}' --edited`" in why


def test_the_list_and_the_way_back(run, painted):
    correct(run, painted)
    output = correct(run, "--show").splitlines()
    assert "1    128     0    0  #800000  cat" in output and "255  224   224  192  #e0e0c0  ignore" in output
    assert any(
        line.startswith("  a: background 87.9 %, cat 10.0 %, dog 1.9 %, ignore 0.2 %") for line in output
    )
    assert "has no corrected mask; did you mean `turned`?" in refused(run, "--undo", "a", "turnd")
    assert "1 corrected mask taken out" in correct(run, "--undo", "a")
    assert list(taken(run)) == ["turned"]
    assert "1 corrected mask taken out" in correct(run, "--undo", "turned")
    assert "corrected masks: 0" in correct(run, "--show")


@pytest.mark.parametrize("words", [[], ["--show", "--edited"], ["--undo", "a", "--show"]])
def test_one_thing_at_a_time(run, words):
    assert "give corrected masks, or one of --edited, --undo ID... and --show" in refused(run, *words)


def test_sources_that_are_no_masks(run, tmp_path):
    (tmp_path / "empty").mkdir()
    (tmp_path / "a.jpg").write_bytes(b"")
    (tmp_path / "a.zip").write_bytes(b"no zip")
    for name, words in (
        ("none", "does not exist; give a mask ID.png"),
        ("empty", "holds no mask"),
        ("a.jpg", "is no mask"),
        ("a.zip", "cannot be unpacked"),
    ):
        assert words in refused(run, tmp_path / name)
    assert "is not a run folder" in refused(tmp_path / "empty", tmp_path / "a.jpg")


def test_another_process_works_in_the_run(run, painted):
    with locked(run):
        assert "another wsseg process works in" in refused(run, painted)


def test_a_run_on_true_masks(run, painted, recipe):
    claim(recipe("segment.train_on=true_masks"), run, (None, []))
    assert "trains on the dataset's own masks" in refused(run, painted)


def exported(run, out, *words):
    status, output = run_quietly("export-masks", run, "--out", out, *words)
    assert status == 0, output
    return output


def rezipped(path, to, change):
    """Unpack a zip file, change something, and pack it again inside a folder."""
    with zipfile.ZipFile(path) as archive:
        archive.extractall(to / "inside/task")
    change(to / "inside/task")
    shutil.make_archive(str(to / "changed"), "zip", to / "inside")
    return to / "changed.zip"


def test_through_cvat(run, tmp_path):
    output = exported(run, tmp_path / "out.zip", "--format", "cvat")
    assert "5 masks" in output and f"wsseg correct '{run}'" in output
    assert "none of the 5 masks differs" in refused(run, tmp_path / "out.zip"), "the round trip is exact"
    assert "5 corrected masks taken" in correct(run, tmp_path / "out.zip", "--all")
    for id, mask in taken(run).items():
        assert np.array_equal(mask, mask_of(id)), id
    correct(run, "--undo", *SIZES)

    def change(folder):
        """As CVAT does: labels and colours of its own, no mask where nothing is drawn."""
        (folder / "labelmap.txt").write_text(
            "# label:color_rgb:parts:actions\nbackground:0,0,0::\ncar:1,1,1::\ndog:250,1,1::\nignore:2,2,2::\n"
            "cat:9,9,250::\n"
        )
        colours = np.zeros((256, 3), np.uint8)
        colours[[1, 2, 255]] = (9, 9, 250), (250, 1, 1), (2, 2, 2)
        for id in SIZES:
            mask = mended(id) if id == "c.d" else mask_of(id)
            Image.fromarray(colours[mask]).save(folder / f"SegmentationClass/{id}.png")
        (folder / "SegmentationClass/a.png").unlink()

    path = rezipped(tmp_path / "out.zip", tmp_path, change)
    output = correct(run, path)
    assert "1 listed images have no object and were left out; --empty takes them" in output
    assert list(taken(run)) == ["c.d"] and np.array_equal(taken(run)["c.d"], mended("c.d"))
    correct(run, path, "--empty")
    assert list(taken(run)) == ["a", "c.d"] and not taken(run)["a"].any()


def test_through_coco(run, tmp_path):
    path = tmp_path / "out.json"
    exported(run, path, "--format", "coco")
    assert "none of the 4 masks differs" in refused(run, path)
    assert "5 corrected masks taken" in correct(run, path, "--all", "--empty")
    for id, mask in taken(run).items():
        assert np.array_equal(mask, mask_of(id)), id
    correct(run, "--undo", *SIZES)
    content = json.loads(path.read_text())
    wrong = next(image["id"] for image in content["images"] if image["file_name"] == "a.jpg")
    content["annotations"] = [entry for entry in content["annotations"] if entry["image_id"] != wrong]
    path.write_text(json.dumps(content))
    correct(run, path, "--empty")
    assert list(taken(run)) == ["a"] and not taken(run)["a"].any()
    content["images"] = [image | {"width": 99} for image in content["images"]]
    path.write_text(json.dumps(content))
    assert "run lengths do not have the image's size" in refused(run, path)
    content["annotations"] = []
    lying = {image["file_name"]: image | {"width": 30, "height": 20} for image in content["images"]}
    path.write_text(json.dumps(content | {"images": [lying["turned.jpg"]]}))
    text = refused(run, path, "--empty")
    assert "image `turned` is 30 x 20 pixels there, but 20 x 30 in the dataset (width x height)" in text
    path.write_text(json.dumps(content))
    assert "the 5 listed images have no object; with --empty" in refused(run, path)


def test_export_of_some_masks_with_corrections(run, painted, tmp_path, capsys):
    correct(run, painted)
    exported(run, tmp_path / "out", "--format", "png", "--only", "a", "b")
    found = {path.stem: read_mask(path).tolist() for path in (tmp_path / "out").glob("*.png")}
    assert found == {"a": mended("a").tolist(), "b": mask_of("b").tolist()}
    for words, message in (
        (("--format", "png", "--out", tmp_path / "out"), "exists already"),
        (("--format", "cvat", "--out", tmp_path / "x"), "give a name that ends in .zip"),
        (("--format", "png", "--out", tmp_path / "x", "--only", "bb"), "no image `bb`"),
    ):
        assert main(["export-masks", str(run), *map(str, words)]) == 2
        assert message in capsys.readouterr().err


def test_masks_of_a_run_with_other_classes(run, painted):
    """Beside `classes.txt`, ids and colours are those of its classes; names decide."""
    (painted / "classes.txt").write_text("background\ndog\ncow\ncat\n")
    for id in SIZES:
        ids = np.array([0, 3, 1] + [255] * 253, np.uint8)[mended(id) if id == "a" else mask_of(id)]
        write_mask(painted / f"{id}.png", ids)
    assert "1 corrected mask taken" in correct(run, painted)
    assert np.array_equal(taken(run)["a"], mended("a"))
    correct(run, "--undo", "a")
    correct(run, painted / "a.png")
    assert np.array_equal(taken(run)["a"], mended("a"))
    write_mask(painted / "b.png", np.full(SIZES["b"], 2, np.uint8))
    assert "has the label `cow`, which is not a class of this run" in refused(run, painted)
    (painted / "classes.txt").write_text("cat\ndog\n")
    assert "classes.txt must name the classes of the masks beside it, first `background`" in refused(
        run, painted
    )


def test_no_masks_to_export_yet(run, tmp_path, capsys):
    shutil.rmtree(run / "4_label")
    assert main(["export-masks", str(run), "--format", "png", "--out", str(tmp_path / "x")]) == 2
    assert "has made no masks yet" in capsys.readouterr().err


@pytest.fixture
def splits(recipe, run):
    return Splits(recipe(), run / "data")


def test_the_label_stage_takes_corrected_masks(run, painted, splits, tmp_path):
    correct(run, painted)
    write_mask(run / "corrected_masks/gone.png", mask_of("a"))
    (tmp_path / "out/masks").mkdir(parents=True)
    train, _ = training_data(splits, {})
    assert given_ids(tmp_path / "out") == set()
    found = write_corrected_masks(splits, train, tmp_path / "out")
    assert found.ids == {"a", "turned"} == corrected_ids(tmp_path / "out") == given_ids(tmp_path / "out")
    assert found.set_aside == {
        "gone": "its corrected mask is not used: split `train` has no usable image of this id"
    }
    assert len(found.warnings) == 1 and "(dog in 2)" in found.warnings[0]
    for id in found.ids:
        assert np.array_equal(read_mask(tmp_path / f"out/masks/{id}.png"), mended(id))
    # Started from this folder, the stage must make anew what is no longer corrected.
    correct(run, "--undo", "a", "gone")
    assert (
        write_corrected_masks(splits, train, tmp_path / "out").ids
        == {"turned"}
        == given_ids(tmp_path / "out")
    )
    assert [path.stem for path in (tmp_path / "out/masks").iterdir()] == ["turned"]
    correct(run, "--undo", "turned")
    assert write_corrected_masks(splits, train, tmp_path / "out").ids == set() == given_ids(tmp_path / "out")
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["masks"]
    assert not list((tmp_path / "out/masks").iterdir())


def test_checks_before_a_run(run, painted, recipe, splits):
    check_supervision(splits)
    repeat = "supervision.masks_repeat=3"
    with pytest.raises(InputError, match="or corrected masks"):
        check_supervision(Splits(recipe(repeat), run / "data"))
    correct(run, painted)
    check_supervision(Splits(recipe(repeat), run / "data"))
    with pytest.raises(InputError, match="would not use the 2 corrected masks"):
        check_supervision(Splits(recipe("segment.train_on=true_masks"), run / "data"))
    with pytest.raises(InputError, match="are for the classes cat, dog; the recipe has dog, cat"):
        check_supervision(Splits(recipe("dataset.classes=[dog, cat]"), run / "data"))
    write_mask(run / "corrected_masks/a.png", np.zeros((4, 4), np.uint8))
    with pytest.raises(InputError, match=r"corrected mask .*a\.png is 4 x 4 pixels .*or take it out with"):
        check_supervision(splits)


def test_records_are_found_by_the_name_of_the_image_file():
    """Annotation tools know the file's name alone; some datasets have shorter ids."""
    records = [
        Record("x", Path("x_left.png"), ()),
        Record("y", Path("1/z.png"), ()),
        Record("w", Path("2/z.png"), ()),
    ]
    train, refused = Dataset("d", "train", ("cat",), records), []
    given = [FoundMask(name, name, None) for name in ("x_left", "y", "z")]
    found = [(one.name, record.id) for one, record in _with_records(given, train, refused)]
    assert found == [("x_left", "x"), ("y", "y")] and len(refused) == 1 and "no image `z`" in refused[0]
    names = ImageNames(train)
    assert [names.of(record) for record in records] == ["x_left", "y", "w"], "two files are named z"
