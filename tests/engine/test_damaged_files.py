"""Files that are damaged on the disk, with the size and the time that they had, and the engine's own records."""

import os

import pytest
from small_run import fake_stages

from wsseg.engine import run as engine
from wsseg.engine.made_files import MadeFiles
from wsseg.errors import InputError

pytestmark = pytest.mark.usefixtures("fakes")


def rot(path):
    """Change one bit of a file, and leave its time."""
    before = path.stat()
    content = path.read_bytes()
    path.write_bytes(bytes([content[0] ^ 1]) + content[1:])
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))


@pytest.fixture
def half(recipe, tmp_path):
    """A run whose segment stage failed because of a file that the label stage made."""
    run = tmp_path / "run"
    fake_stages.FAILING["5_segment"] = InputError("mask 4_label/second.txt cannot be read")
    with pytest.raises(InputError, match="cannot be read"):
        engine.run(recipe(), run, say=lambda line: None)
    fake_stages.RAN.clear()
    return run


@pytest.fixture
def reads_the_mask(monkeypatch):
    """Let the segment stage fail as long as the label stage's file is damaged."""
    fake_stages.FAILING.clear()
    real = fake_stages.run

    def run(recipe, splits, inputs, out):
        if out.name.startswith("5_segment") and (inputs["label"] / "second.txt").read_text() != "propagate":
            fake_stages.RAN.append("5_segment")
            raise ValueError("decoder: not a PNG")  # any error, and not ours
        return real(recipe, splits, inputs, out)

    monkeypatch.setattr(fake_stages, "run", run)


def test_a_file_that_is_damaged_on_the_disk_is_made_again(half, again, stale, reads_the_mask):
    rot(half / "4_label/second.txt")
    assert stale(half) == {}, "neither its size nor its time tells"
    said = again(half)
    line = "segment: stopped (decoder: not a PNG); files are damaged on the disk (1 of `label`), and are made again"
    assert line in said
    assert fake_stages.RAN == ["5_segment", "4_label", "5_segment", "6_evaluate", "7_report"]
    assert (half / "4_label/second.txt").read_text() == "propagate" and stale(half) == {}
    assert (half / "4_label.edited/second.txt").exists(), "a file is never deleted without a word"


def test_one_stage_alone_names_the_stage_that_makes_it_again(half, again, reads_the_mask):
    rot(half / "4_label/second.txt")
    with pytest.raises(
        InputError, match=r"damaged on the disk \(1 of `label`\); run `wsseg label`, or `wsseg run`"
    ):
        again(half, only="segment")
    again(half, only="label")
    again(half, only="segment")
    assert fake_stages.RAN == ["5_segment", "4_label", "5_segment"]


def test_an_error_with_whole_inputs_stays(half, again):
    with pytest.raises(InputError, match="cannot be read"):
        again(half)
    assert fake_stages.RAN == ["5_segment"]


def test_what_is_damaged_again_and_again_ends(half, again, monkeypatch, reads_the_mask):
    real = fake_stages.run

    def run(recipe, splits, inputs, out):
        result = real(recipe, splits, inputs, out)
        if out.name.startswith("4_label"):
            (out / "second.txt").write_text("PROPAGATE")
        return result

    monkeypatch.setattr(fake_stages, "run", run)
    rot(half / "4_label/second.txt")
    with pytest.raises(ValueError, match="not a PNG"):
        again(half)
    assert fake_stages.RAN == ["5_segment", "4_label", "5_segment"]


def test_links_and_missing_files_are_no_damage_on_the_disk(made):
    (made / "4_label/first.txt").unlink()
    files = MadeFiles(made / "4_label")
    assert files.distrust() == () and files.damage().missing == ("first.txt",)


@pytest.mark.parametrize("name", ["manifest.json", "files.json"])
@pytest.mark.parametrize(
    "content", [b"", b"[]", b"\x00" * 40, b'{"stage": "label"}', b"\xff\xfe", b"[" * 10**5]
)
def test_a_damaged_record_makes_the_stage_again_and_keeps_the_folder(made, again, stale, name, content):
    (made / "4_label" / name).write_bytes(content)
    assert stale(made)["label"] == (
        f"`4_label/{name}` is damaged; all is made again, and the folder is kept beside it"
    )
    said = again(made)
    kept = made / "4_label.damaged"
    assert f"4_label: the damaged folder is kept as {kept}; delete it when you need nothing from it" in said
    assert (kept / "first.txt").exists() and stale(made) == {}
    assert fake_stages.RAN[0] == "4_label" and not list(made.glob("*.partial"))


@pytest.mark.parametrize("name", ["manifest.json", "files.json", "definition.json"])
def test_a_damaged_record_of_a_stopped_stage_starts_it_again(made, again, name):
    (made / "4_label").rename(made / "4_label.partial")
    (made / "4_label.partial" / name).write_bytes(b"{")
    if name == "definition.json":
        (made / "4_label.partial/manifest.json").unlink()
    again(made)
    assert fake_stages.RAN[0] == "4_label" and (made / "4_label/second.txt").read_text() == "propagate"
    assert not MadeFiles(made / "4_label").broken
