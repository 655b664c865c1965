"""Corrected masks that a user adds to a finished run, changes or removes."""

import numpy as np
import pytest
from small_run import fake_stages

from wsseg.artifacts import write_mask
from wsseg.engine import run as engine
from wsseg.engine.made_files import Damage
from wsseg.errors import InputError

pytestmark = pytest.mark.usefixtures("fakes")


def correct(run, id="train0", value=1):
    (run / "corrected_masks").mkdir(exist_ok=True)
    write_mask(run / f"corrected_masks/{id}.png", np.full((20, 20), value, np.uint8))


def test_label_and_what_follows_is_made_again(made, stale, again):
    correct(made)
    after = {"label", "segment", "evaluate", "report"}
    assert set(stale(made)) == after
    assert stale(made)["label"] == "the data changed: `corrected_masks`"
    kept = (made / "4_label/first.txt").read_text()
    again(made)
    assert fake_stages.RAN == ["4_label", "5_segment", "6_evaluate", "7_report"]
    assert stale(made) == {}
    assert (made / "4_label/first.txt").read_text() == kept, "a copy of the finished folder was updated"
    assert not list(made.glob("*.partial")) and not list(made.glob("*.edited"))

    correct(made, value=2)
    assert set(stale(made)) == after, "changed"
    again(made)
    correct(made, id="train1")
    assert set(stale(made)) == after, "added"
    again(made)
    (made / "corrected_masks/train0.png").unlink()
    assert set(stale(made)) == after, "removed"
    again(made)
    assert stale(made) == {}


def test_all_is_made_again_if_anything_else_changed(made, photographs, again, stale):
    kept = (made / "4_label/first.txt").read_text()
    correct(made)
    again(made, "label.unsure=0.1")
    other = (made / "4_label/first.txt").read_text()
    assert other != kept
    correct(made, value=2)
    path = photographs / "images/train1.png"
    path.write_bytes(path.read_bytes()[:-1] + b"x")
    again(made, "label.unsure=0.1")
    assert (made / "4_label/first.txt").read_text() != other
    assert stale(made, "label.unsure=0.1") == {}


def test_a_killed_update_goes_on(made, again, stale):
    kept = (made / "4_label/first.txt").read_text()
    correct(made)
    fake_stages.FAILING["4_label"] = InputError("no more")
    with pytest.raises(InputError, match="no more"):
        again(made, only="label")
    fake_stages.FAILING.clear()
    assert "label" in stale(made) and (made / "4_label/second.txt").exists(), "the finished folder stays"
    assert "label: resumes" in again(made, only="label")
    assert (made / "4_label/first.txt").read_text() == kept and "label" not in stale(made)


def test_edited_and_corrected(made, again, stale):
    """The edited file is not taken over into the updated folder."""
    correct(made)
    (made / "4_label/second.txt").write_text("edited")
    again(made, only="label")
    assert (made / "4_label/second.txt").read_text() == "propagate" and "label" not in stale(made)
    assert (made / "4_label.edited/second.txt").read_text() == "edited"


def test_the_way_back_before_a_run(made, stale):
    correct(made)
    (made / "corrected_masks/train0.png").unlink()
    assert stale(made) == {}, "an empty folder is as none"


def test_the_ceiling_does_not_use_them(recipe, tmp_path, stale):
    engine.run(recipe("ceiling=true"), tmp_path / "run", say=lambda line: None)
    correct(tmp_path / "run")
    assert set(stale(tmp_path / "run", "ceiling=true")) == {"label", "segment", "evaluate", "report"}


def test_edited_masks_are_told_how_to_be_used(made, again, stale):
    (made / "4_label/masks").mkdir()
    (made / "4_label/first.txt").unlink()
    assert "wsseg correct" not in stale(made)["label"]
    text = Damage(changed=("masks/a.png", "masks/b.png")).describe("4_label", made)
    assert text.startswith("`4_label/masks/a.png` and 1 more were changed since; they will be made again")
    assert text.endswith(f"(to use edited masks from now on, first call `wsseg correct {made} --edited`)")
