"""No command writes over what it reads."""

import os
from pathlib import Path

import pytest
from PIL import Image

from wsseg.cli import main
from wsseg.commands.protected_files import ProtectedFiles
from wsseg.errors import InputError


def test_links_and_other_spellings_are_the_same_file(tmp_path):
    photo, other = tmp_path / "photo.jpg", tmp_path / "other.jpg"
    photo.touch(), other.touch()
    (tmp_path / "soft.jpg").symlink_to(photo)
    os.link(photo, tmp_path / "PHOTO.JPG")  # as a file system that ignores letter case shows it
    (tmp_path / "deep").mkdir()
    (tmp_path / "deep" / "inside.txt").touch()
    files = ProtectedFiles([photo, None, tmp_path / "absent", tmp_path / "deep"], tmp_path)
    for name in ("photo.jpg", "soft.jpg", "PHOTO.JPG", "deep/../photo.jpg", "deep/inside.txt"):
        with pytest.raises(InputError, match="is an input of the command and would be overwritten"):
            files.check(tmp_path / name)
    files.check(other, tmp_path / "absent", tmp_path / "new.jpg")


def test_an_input_that_is_a_link_is_protected_too(tmp_path):
    (tmp_path / "photo.jpg").touch()
    link = tmp_path / "link.jpg"
    link.symlink_to("photo.jpg")
    files = ProtectedFiles([link], tmp_path)
    for path in (link, tmp_path / "photo.jpg"):
        with pytest.raises(InputError, match="would be overwritten"):
            files.check(path)


@pytest.mark.parametrize(
    ("photo", "more"),
    [
        ("photo.png", []),
        ("contact_sheet.jpg", []),
        ("scores.csv", []),
        ("maps/a.npz", []),
        ("a_classes.png", ["--sheet", "classes"]),
    ],
)
def test_explain_writes_over_no_input(tmp_path, capsys, photo, more):
    """Refused before the model is loaded, whatever the file holds."""
    path = tmp_path / photo
    path.parent.mkdir(exist_ok=True)
    Image.new("RGB", (8, 8)).save(path, format="PNG")
    Image.new("RGB", (8, 8)).save(tmp_path / "a.jpg")
    before = path.read_bytes()
    words = ["explain", path, tmp_path / "a.jpg", "--model", "none.keras", "--out", tmp_path]
    assert main([*map(str, words), "--sheet", "methods", *more]) == 2
    assert f"{Path(photo).name} is an input of the command" in capsys.readouterr().err
    assert path.read_bytes() == before


def test_explain_writes_over_no_class_names(tmp_path, capsys):
    Image.new("RGB", (8, 8)).save(tmp_path / "a.jpg")
    (tmp_path / "scores.csv").write_text("cat\ndog\n")
    words = ["explain", tmp_path / "a.jpg", "--model", "none.keras", "--out", tmp_path]
    assert main([*map(str, words), "--class-names", str(tmp_path / "scores.csv")]) == 2
    assert "scores.csv is an input" in capsys.readouterr().err
    assert (tmp_path / "scores.csv").read_text() == "cat\ndog\n"


def test_explain_into_the_folder_of_the_photographs(tmp_path, capsys):
    Image.new("RGB", (8, 8)).save(tmp_path / "a.jpg")
    assert main(["explain", str(tmp_path), "--model", "none.keras", "--out", str(tmp_path)]) == 2
    assert "is the folder of the photographs" in capsys.readouterr().err


def test_evaluate_maps_writes_over_no_input(tmp_path, capsys):
    Image.new("RGB", (8, 8)).save(tmp_path / "a.jpg")
    for name, option in (("names.txt", "--class-names"), ("map.json", "--class-map"), ("m.json", "--model")):
        (tmp_path / name).write_text("cat\n")
        words = [
            "evaluate-maps",
            "--photographs",
            tmp_path,
            option,
            tmp_path / name,
            "--out",
            tmp_path / name,
        ]
        words += [] if option == "--model" else ["--model", "none.keras"]
        assert main(list(map(str, words))) == 2
        assert f"{name} is an input of the command" in capsys.readouterr().err
        assert (tmp_path / name).read_text() == "cat\n"
