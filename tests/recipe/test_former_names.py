"""`segment.train_on` was `segment.supervision`, and its `true_masks` were `masks`: old recipes and runs still work."""

import pytest

from wsseg.artifacts import write_json
from wsseg.engine.definitions import Definitions
from wsseg.engine.run_folder import OWNER, source_of
from wsseg.errors import InputError
from wsseg.recipe import identity, load_recipe, to_plain
from wsseg.supervision.splits import Splits

NOTE = "`segment.supervision: masks` is now `segment.train_on: true_masks`; the former name is still read\n"
TODAY = load_recipe(overrides=["--segment.train_on=true_masks", "--segment.learning_rate=1e-3"])


@pytest.mark.parametrize(
    "words",
    [
        ["--segment.supervision=masks"],
        ["--segment.supervision", "masks"],
        ["--segment.train_on=masks"],
        ["--segment={supervision: masks}"],
    ],
)
def test_on_the_command_line(words, capsys):
    assert load_recipe(overrides=[*words, "--segment.learning_rate=1e-3"]) == TODAY
    captured = capsys.readouterr()
    assert captured.out == "" and captured.err.count("\n") == 1
    assert captured.err.startswith("wsseg: command line: `segment.")
    assert "is now `segment.train_on: true_masks`" in captured.err


@pytest.mark.parametrize("name", ["supervision", "train_on"])
def test_in_a_file(tmp_path, capsys, name):
    path = tmp_path / "old.yaml"
    path.write_text(f"segment:\n  {name}: masks\n  learning_rate: 1e-3\n")
    assert load_recipe(path) == TODAY
    assert capsys.readouterr().err == f"wsseg: {path}: {NOTE.replace('supervision', name, 1)}"
    assert load_recipe(path, ["--segment.train_on=pseudo_masks"]).segment.train_on == "pseudo_masks"


def test_of_an_old_run(tmp_path, capsys):
    known = {"name": "scenes", "file": None, "overrides": ["--segment.supervision=masks"], "options": {}}
    write_json(tmp_path / OWNER, known)
    recipe = load_recipe(*source_of(tmp_path, ["--segment.learning_rate=1e-3"]))
    assert recipe == TODAY and capsys.readouterr().err == f"wsseg: command line: {NOTE}"


def test_todays_names_need_no_note(tmp_path, capsys):
    path = tmp_path / "new.yaml"
    path.write_text("segment: {train_on: true_masks, learning_rate: 1e-3}\n")
    assert load_recipe(path) == TODAY
    assert load_recipe(overrides=["--segment={train_on: true_masks}"]).segment.train_on == "true_masks"
    assert capsys.readouterr().err == ""


def test_both_names_in_one_file(tmp_path):
    path = tmp_path / "both.yaml"
    path.write_text("segment: {train_on: true_masks, supervision: masks}\n")
    with pytest.raises(InputError, match=r"`segment\.train_on` are one option; remove one of them"):
        load_recipe(path)


def test_a_wrong_value_is_answered_with_todays_names(capsys):
    with pytest.raises(
        InputError, match=r"`segment\.train_on` must be one of pseudo_masks, true_masks; got true"
    ):
        load_recipe(overrides=["--segment.supervision=true"])


def test_definitions_keep_the_former_name():
    """So the manifests of old runs stay equal to today's definitions."""
    for value, former in (("true_masks", "masks"), ("pseudo_masks", "pseudo_masks")):
        segment = load_recipe(overrides=[f"--segment.train_on={value}"]).segment
        assert identity(segment)["supervision"] == former and "train_on" not in identity(segment)
        assert to_plain(segment)["train_on"] == value and "supervision" not in to_plain(segment)


def test_the_stage_segment_is_defined_by_the_former_name(tmp_path, monkeypatch):
    monkeypatch.setenv("WSSEG_CACHE", str(tmp_path))
    words = ["--segment.train_on=true_masks", "--dataset.options={size: 32, train_images: 2, val_images: 1}"]
    options = Definitions(Splits(load_recipe(overrides=words))).of("segment")["options"]["segment"]
    assert options["supervision"] == "masks" and "train_on" not in options
