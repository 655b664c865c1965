"""Files that are made to break a program: each ends in one line, and nothing outside of the data is opened."""

import base64
import io
import zipfile
import zlib

import numpy as np
import pytest
from PIL import Image

from wsseg.artifacts import read_json, write_json
from wsseg.backbones.weights import opened_weights
from wsseg.cli import main
from wsseg.commands.class_names import read_class_names
from wsseg.commands.input_options import factor
from wsseg.commands.mask_sources import LARGEST_ENTRY, found_masks
from wsseg.commands.photographs import class_index
from wsseg.datasets.cityscapes_truth import read_instance_ids
from wsseg.datasets.labelme_shapes import Shape, drawn
from wsseg.datasets.sbd import trainaug_ids
from wsseg.datasets.voc_boxes import VocBoxes
from wsseg.errors import InputError
from wsseg.inference.class_names import names_of_run
from wsseg.recipe import load_recipe
from wsseg.recipe.of_run import read_owner
from wsseg.stages.evaluate.score_table import print_table
from wsseg.supervision.contents import Contents
from wsseg.training.history import read_history

EPS = b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 10 8\n%%EndComments\nshowpage\n%%EOF\n"


@pytest.fixture
def no_ghostscript(monkeypatch):
    """Fail if Pillow starts Ghostscript, which an EPS file asks for whatever its name is."""
    from PIL import EpsImagePlugin

    def start(*given, **options):
        raise AssertionError("Ghostscript was started")

    monkeypatch.setattr(EpsImagePlugin, "Ghostscript", start)


@pytest.mark.usefixtures("no_ghostscript")
def test_a_postscript_program_among_the_masks_is_not_run(tmp_path):
    path = tmp_path / "a_instanceIds.png"
    path.write_bytes(EPS)
    with pytest.raises(InputError, match=r"a_instanceIds\.png is a file in the format EPS"):
        read_instance_ids(path)
    shape = Shape("cat", "mask", ((0.0, 0.0), (4.0, 4.0)), base64.b64encode(EPS).decode())
    with pytest.raises(InputError, match=r"a\.json, shapes\[0\].*EPS"):
        drawn(shape, (8, 10), "a.json, shapes[0]")


@pytest.mark.parametrize("side", ["1e400", "nan", "-inf", "9" * 400])
def test_a_box_without_an_end(tmp_path, side):
    Image.new("RGB", (10, 8)).save(tmp_path / "a.png")
    (tmp_path / "a.xml").write_text(
        "<annotation><object><name>cat</name><bndbox><xmin>1</xmin><ymin>1</ymin>"
        f"<xmax>{side}</xmax><ymax>6</ymax></bndbox></object></annotation>"
    )
    with pytest.raises(
        InputError, match=r"a\.xml: the box .* of a `cat` has a side that is no number of pixels"
    ):
        VocBoxes(tmp_path, ("cat",)).read_file(tmp_path / "a.xml", tmp_path / "a.png")


def test_damaged_weights(tmp_path):
    path = tmp_path / "a.weights.h5"
    path.write_bytes(b"\x89HDF\r\n\x1a\n" + bytes(40))
    with (
        pytest.raises(InputError, match=r"a\.weights\.h5 cannot be read .* copy or download it again"),
        opened_weights(path),
    ):
        pass


def test_an_archive_that_would_fill_the_disk(tmp_path, monkeypatch):
    path = tmp_path / "masks.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a.png", bytes(2**20))
    monkeypatch.setattr("wsseg.commands.mask_sources.LARGEST_ENTRY", 2**20 - 1)
    assert LARGEST_ENTRY == 2**30
    with (
        pytest.raises(InputError, match=r"`a\.png` would unpack to 0\.0 GiB"),
        found_masks([path], ("cat",)),
    ):
        pass


def test_an_archive_whose_content_is_damaged(tmp_path):
    path = tmp_path / "masks.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a.png", bytes(range(256)) * 9)
    content = bytearray(path.read_bytes())
    content[45:60] = bytes(15)
    path.write_bytes(content)
    with pytest.raises((zlib.error, zipfile.BadZipFile)), zipfile.ZipFile(path) as archive:
        archive.read("a.png")
    with pytest.raises(InputError, match=r"masks\.zip cannot be unpacked"), found_masks([path], ("cat",)):
        pass


@pytest.mark.parametrize("name", ["names.txt", "names.csv", "names.json"])
def test_an_empty_file_of_names(tmp_path, name):
    (tmp_path / name).write_text("\n")
    with pytest.raises(InputError, match="is empty; give one name per line"):
        read_class_names(tmp_path / name)


def test_numbers_that_python_does_not_read():
    """`"²".isdigit()` is true, and a float has no number of 400 digits."""
    for name in ("²", "9" * 5000):
        with pytest.raises(InputError, match="the model has no class"):
            class_index(name, ("cat", "dog"))
    with pytest.raises(Exception, match="expected a positive number"):
        factor("9" * 400 + "/1")


def test_lists_that_are_no_text(tmp_path):
    (tmp_path / "train.txt").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(
        InputError, match=r"`sbd`: .*train\.txt cannot be read .* expected one image id per line"
    ):
        trainaug_ids(tmp_path, [], [])


@pytest.mark.parametrize(
    "content", [b"", b"{}", b"[]", b"null", bytes(30), b"\xff\xfe", b"[" * 10**5, b'{"a": ']
)
def test_records_of_a_run_that_are_damaged(tmp_path, content):
    path = tmp_path / "6_evaluate/scores.json"
    path.parent.mkdir()
    path.write_bytes(content)
    with pytest.raises(InputError, match=r"scores\.json .*(damaged|not valid JSON).*run again"):
        print_table(tmp_path)
    (tmp_path / "contents.json").write_bytes(content)
    with pytest.raises(InputError, match=r"contents\.json .*run again"):
        Contents(tmp_path / "contents.json")
    (tmp_path / "recipe.json").write_bytes(content)
    with pytest.raises(InputError, match=r"recipe\.json"):
        read_owner(tmp_path)


@pytest.mark.parametrize(
    ("key", "value"),
    [("name", 3), ("file", ["a"]), ("overrides", "--seed=3"), ("overrides", [3]), ("options", []),
     ("working_folder", ["a"]), ("working_folder", [1, 2]), ("working_folder", "a")],
)  # fmt: skip
def test_a_recipe_of_a_run_with_other_values(tmp_path, key, value):
    good = {"name": "a", "file": None, "overrides": [], "options": {}, "working_folder": ["..", "/a"]}
    write_json(tmp_path / "recipe.json", good)
    assert read_owner(tmp_path) == good and names_of_run(tmp_path / "stage/model.keras") is None
    write_json(tmp_path / "recipe.json", good | {key: value})
    with pytest.raises(InputError, match=rf"recipe\.json is damaged: `{key}` is "):
        read_owner(tmp_path)


def test_what_a_json_file_must_hold(tmp_path):
    path = tmp_path / "a.json"
    write_json(path, {"level": 1})
    assert read_json(path, dict, ("level",)) == {"level": 1}
    with pytest.raises(InputError, match="must hold a list"):
        read_json(path, list)
    with pytest.raises(InputError, match="has no `rule`"):
        read_json(path, dict, ("level", "rule"))


@pytest.mark.parametrize(
    "content", ["", "epoch,loss\n1,0.5\n2", "epoch,loss\n1,0.5,7\n", "epoch,loss\n1,\0\n"]
)
def test_a_history_that_is_cut_off(tmp_path, content):
    (tmp_path / "history.csv").write_text(content)
    with pytest.raises(InputError, match=r"history\.csv"):
        read_history(tmp_path / "history.csv")


@pytest.mark.parametrize(
    "words",
    [["run", "x" * 300], ["status", "x" * 300], ["datasets", "check", "x" * 300], ["init", "x" * 300],
     ["run", "scenes", "--dataset.root", "x" * 300], ["correct", "x" * 300, "a"]],
)  # fmt: skip
def test_a_name_that_no_file_can_have_is_one_line(capsys, tmp_path, monkeypatch, words):
    monkeypatch.chdir(tmp_path)
    assert main(words) == 2
    said = capsys.readouterr().err
    assert said.count("\n") == 1 and said.startswith("wsseg: ") and "x" * 300 in said
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("value", ["[" * 3000, "{" * 3000, "2038-99-99"])
def test_options_that_are_nested_without_end(value):
    for option in ("segment.epochs", "segment"):
        try:
            load_recipe(None, [f"--{option}={value}"])
        except InputError as error:
            assert "command line" in str(error)


@pytest.mark.parametrize("split", ["[/x]", "../x", "", "a\nb", "a\0b", "x" * 300])
def test_splits_that_are_no_names(tmp_path, split):
    from wsseg import datasets

    with pytest.raises(InputError, match="no file can be called"):
        datasets.create("folder", root="image,label\na.jpg,cat\n" * 20)
    for name in ("scenes", "coco", "voc", "cityscapes", "folder", "class_folders", "labelme", "voc_objects"):
        with pytest.raises(InputError):
            datasets.create(name, split, tmp_path / "data")
    (tmp_path / "x").mkdir()
    (tmp_path / "x/_annotations.coco.json").write_text('{"images": [], "annotations": [], "categories": []}')
    (tmp_path / "root/annotations").mkdir(parents=True)
    with pytest.raises(InputError, match=r"dataset `coco` has no split|does not exist"):
        datasets.create("coco", split, tmp_path / "root")


def test_the_picture_of_a_mask_is_still_read():
    file = io.BytesIO()
    Image.fromarray(np.ones((2, 3), np.uint8)).save(file, "PNG")
    shape = Shape("cat", "mask", ((1.0, 1.0), (3.0, 2.0)), base64.b64encode(file.getvalue()).decode())
    assert drawn(shape, (8, 10), "a.json").sum() == 6
