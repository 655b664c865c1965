"""Files that a user deletes, edits, adds or copies in a run folder."""

import json
import os
import re
import shutil

import pytest
from small_run import fake_stages

from wsseg.artifacts import Manifest, read_json
from wsseg.engine import made_files
from wsseg.engine import run as engine
from wsseg.engine.made_files import Damage, MadeFiles, write_made_files
from wsseg.errors import InputError
from wsseg.stages import STAGES

pytestmark = pytest.mark.usefixtures("fakes")


def edit(path, text="edited by hand"):
    path.write_text(text)


def rewrite_later(path, text=None):
    """Write a file of the same size at another time."""
    text = path.read_text() if text is None else text
    assert len(text) == path.stat().st_size
    path.write_text(text)
    os.utime(path, ns=(1, path.stat().st_mtime_ns + 10**9))


def test_a_deleted_file_is_noticed_and_made_again(made, stale, again):
    other = (made / "4_label/first.txt").stat()
    (made / "4_label/second.txt").unlink()
    assert stale(made) == {
        "label": "`4_label/second.txt` is missing; it will be made again",
        "segment": "its input `label` is not done",
        "evaluate": "its inputs `label`, `segment` are not done",
        "report": "its inputs `label`, `segment`, `evaluate` are not done",
    }
    said = again(made)
    plan = [re.split(r"  +", line.strip())[:2] for line in said if line.startswith("  ")]
    assert [words for _, words in plan] == ["done"] * 3 + ["will rerun"] + ["may rerun"] * 3
    assert "label: reruns: `4_label/second.txt` is missing; it will be made again" in said
    assert "label: resumes" in said
    assert fake_stages.RAN == ["4_label"], "the new file is as the old one, so later stages stand"
    assert (made / "4_label/first.txt").stat().st_ino == other.st_ino, "was kept"
    assert (made / "4_label/second.txt").read_text() == "propagate"
    assert Manifest.load(made / "4_label").resumed
    assert stale(made) == {} and not list(made.glob("*.partial")) and not list(made.glob("*.edited"))
    assert not (made / "4_label/definition.json").exists()


def test_later_stages_are_made_again_if_the_new_file_differs(made, stale, again):
    (made / "4_label/first.txt").unlink()  # it holds a counter
    again(made, only="label")
    assert fake_stages.RAN == ["4_label"]
    assert stale(made) == {
        "segment": "its input changed: `label`",
        "evaluate": "its input `segment` is not done",
        "report": "its inputs `segment`, `evaluate` are not done",
    }
    again(made)
    assert fake_stages.RAN == ["4_label", "5_segment", "6_evaluate", "7_report"]
    assert stale(made) == {}


@pytest.mark.parametrize("same_size", [False, True])
def test_an_edited_file_is_noticed_and_kept(made, stale, again, same_size):
    path = made / "4_label/second.txt"
    if same_size:
        rewrite_later(path, "PROPAGATE")
    else:
        edit(path)
    text = path.read_text()
    why = (
        "`4_label/second.txt` was changed since; it will be made again (copy a changed file elsewhere if you want "
        "to keep it)"
    )
    assert stale(made)["label"] == why
    said = again(made)
    assert f"4_label: the folder with the changed files is kept as {made / '4_label.edited'}" in said
    assert fake_stages.RAN == ["4_label"]
    assert (made / "4_label.edited/second.txt").read_text() == text
    assert path.read_text() == "propagate"
    first = [(made / name / "first.txt").read_text() for name in ("4_label", "4_label.edited")]
    assert first[0] == first[1]
    assert stale(made) == {}

    edit(path, "a second time")
    again(made)
    assert (made / "4_label.edited/second.txt").read_text() == text
    assert (made / "4_label.edited_2/second.txt").read_text() == "a second time"


def test_an_edited_file_is_kept_although_an_option_changed_too(made, stale, again):
    edit(made / "4_label/second.txt")
    (made / "4_label/first.txt").unlink()
    why = stale(made, "label.unsure=0.1")["label"]
    assert why.startswith(
        "`label.unsure` changed from 0.0 to 0.1; `4_label/second.txt` was changed since; it"
    )
    again(made, "label.unsure=0.1")
    assert (made / "4_label.edited/second.txt").read_text() == "edited by hand"
    assert not Manifest.load(made / "4_label").resumed


def test_an_edited_file_stands_until_the_new_folder_is_whole(made, stale, again):
    edit(made / "4_label/second.txt")
    fake_stages.FAILING["4_label"] = InputError("no more")
    with pytest.raises(InputError, match="no more"):
        again(made)
    assert (made / "4_label/second.txt").read_text() == "edited by hand"
    assert not (made / "4_label.edited").exists()
    fake_stages.FAILING.clear()
    assert "label: resumes" in again(made)
    assert (made / "4_label.edited/second.txt").read_text() == "edited by hand" and stale(made) == {}


def test_a_stage_stopped_while_it_made_a_missing_file_again(made, stale, again):
    first = (made / "4_label/first.txt").read_text()
    (made / "4_label/second.txt").unlink()
    fake_stages.FAILING["4_label"] = InputError("no more")
    with pytest.raises(InputError, match="no more"):
        again(made)
    assert not (made / "4_label").exists() and not (made / "4_label.partial/manifest.json").exists()
    fake_stages.FAILING.clear()
    assert "label: resumes" in again(made)
    assert (made / "4_label/first.txt").read_text() == first and stale(made) == {}


def test_what_a_stopped_stage_made_from_other_files_is_dropped(made, again):
    (made / "4_label/second.txt").unlink()
    fake_stages.FAILING["4_label"] = InputError("no more")
    with pytest.raises(InputError, match="no more"):
        again(made)
    fake_stages.FAILING.clear()
    (made / "3_propagate/first.txt").unlink()
    said = again(made)
    line = "label: starts again; the files of a stopped run do not fit this recipe (its input changed: `propagate`)"
    assert line in said
    assert not Manifest.load(made / "4_label").resumed


def test_a_copied_run_is_hashed_once(made, stale, tmp_path, monkeypatch):
    copy = shutil.copytree(made, tmp_path / "copy", copy_function=shutil.copyfile)
    hashed = []
    hashes = made_files._hashes
    monkeypatch.setattr(
        made_files, "_hashes", lambda folder, paths, text: hashed.extend(paths) or hashes(folder, paths, text)
    )
    assert stale(copy) == {} and len(hashed) == 2 * 7
    hashed.clear()
    assert stale(copy) == {} and hashed == []
    assert stale(made) == {} and hashed == []


def test_status_of_a_run_in_use_is_shown(made, stale, recipe):
    rewrite_later(made / "4_label/first.txt")
    listed = (made / "4_label/files.json").read_bytes()
    with engine.locked(made):
        assert stale(made) == {}
    assert (made / "4_label/files.json").read_bytes() == listed
    assert stale(made) == {}
    assert (made / "4_label/files.json").read_bytes() != listed


def test_added_files_are_no_error(made, stale, again):
    (made / "4_label/notes.txt").write_text("mine")
    (made / "4_label/.hidden").write_text("mine")
    assert stale(made) == {}
    (made / "4_label/second.txt").unlink()
    again(made)
    assert fake_stages.RAN == ["4_label"], "an added file does not change what the stage made"
    assert (made / "4_label/notes.txt").read_text() == "mine"
    (made / "4_label/notes.txt").unlink()
    assert stale(made) == {}


def test_a_stage_whose_input_is_gone_is_not_done(made, stale, again, recipe, tmp_path):
    shutil.move(made / "5_segment", tmp_path / "away")
    assert stale(made) == {
        "evaluate": "its input `segment` is not done",
        "report": "its inputs `segment`, `evaluate` are not done",
    }
    with pytest.raises(InputError, match="stage `report` needs `segment` first"):
        again(made, only="report")
    shutil.move(tmp_path / "away", made / "5_segment")
    assert stale(made) == {} and again(made) and fake_stages.RAN == []

    shutil.rmtree(made / "5_segment")
    fake_stages.RAN.extend(["before"] * 4)  # so that the counter in `first.txt` is as before: the same files
    again(made)
    assert fake_stages.RAN[4:] == ["5_segment"] and stale(made) == {}
    shutil.rmtree(made / "5_segment")
    again(made)
    assert fake_stages.RAN[5:] == ["5_segment", "6_evaluate", "7_report"]


def test_runs_from_before_are_not_checked(made, stale, again):
    for stage in STAGES.values():
        if (made / stage.folder).exists():
            (made / stage.folder / "files.json").unlink()
            manifest = made / stage.folder / "manifest.json"
            content = json.loads(manifest.read_text())
            del content["inputs_made"]
            manifest.write_text(json.dumps(content))
    edit(made / "4_label/second.txt")
    assert stale(made) == {} and again(made) and fake_stages.RAN == []


def test_links_are_not_followed_but_their_stage_counts(tmp_path):
    (tmp_path / "first").mkdir()
    (tmp_path / "first/a").write_text("a")
    (tmp_path / "second/inner").mkdir(parents=True)
    (tmp_path / "second/inner/b").write_text("b")
    (tmp_path / "second/maps").symlink_to("../first")
    digests = []
    for made in ("1", "2"):
        write_made_files(tmp_path / "second", {"first": made})
        digests.append(MadeFiles(tmp_path / "second").digest)
    assert digests[0] != digests[1]
    content = read_json(tmp_path / "second/files.json")["files"]
    assert list(content) == ["inner/b", "maps"] and content["maps"] == {"link": "../first"}
    (tmp_path / "first/a").write_text("another")
    assert not MadeFiles(tmp_path / "second").damage()
    (tmp_path / "second/maps").unlink()
    assert MadeFiles(tmp_path / "second").damage() == Damage(missing=("maps",))
    (tmp_path / "second/maps").mkdir()
    assert MadeFiles(tmp_path / "second").damage() == Damage(changed=("maps",))


@pytest.mark.parametrize(
    ("name", "kept"), [("segmenter.keras", False), ("history.csv", False), ("scores.json", True)]
)
def test_a_stage_without_its_network_is_made_from_nothing(made, again, name, kept):
    """Its other files come from the network, and a history is written only when one is trained."""
    (made / "5_segment" / name).write_text("1")
    manifest = Manifest.load(made / "5_segment")
    write_made_files(made / "5_segment", manifest.inputs_made)
    (made / "5_segment" / name).unlink()
    again(made)
    assert Manifest.load(made / "5_segment").resumed is kept


def test_several_files_are_counted():
    damage = Damage(missing=("b", "a", "c"), changed=("m/x",))
    assert damage.describe("4_label") == (
        "`4_label/m/x` was changed since and `4_label/a` and 2 more are missing; they will be made again (copy a "
        "changed file elsewhere if you want to keep it)"
    )
