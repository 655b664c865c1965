"""Images and masks that are replaced by others of the same size, or only moved."""

import json
import os
import shutil

import pytest
from small_run import fake_stages

from wsseg.artifacts import Manifest
from wsseg.engine import run as engine
from wsseg.errors import InputError
from wsseg.stages import STAGES
from wsseg.supervision import contents

pytestmark = pytest.mark.usefixtures("fakes")


def replace(path, byte=1):
    """Write other content of the same size, at a later time."""
    before = path.stat()
    path.write_bytes(bytes([byte]) * before.st_size)
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns + 10**9))


@pytest.fixture
def hashed(monkeypatch):
    """Names of the data's files that were hashed."""
    names = []
    identity = contents._identity
    monkeypatch.setattr(contents, "_identity", lambda path: names.append(path.name) or identity(path))
    return names


def test_a_replaced_image_of_the_same_size_is_named(made, photographs, stale, again):
    path = photographs / "images/val1.png"
    replace(path)
    found = stale(made)
    assert found["classify"] == f"`{path}` was replaced since"
    assert found["localize"] == "its input `classify` is not done", "it does not read this split"
    assert found["evaluate"] == f"`{path}` was replaced since"
    assert stale(made) == found
    again(made, only="classify")
    assert fake_stages.RAN == ["1_classify"]
    assert "classify" not in stale(made)
    assert stale(made)["evaluate"] == f"`{path}` was replaced since"
    again(made)
    assert stale(made) == {}


def test_several_replaced_images_are_counted(made, photographs, stale):
    replace(photographs / "images/train2.png")
    replace(photographs / "images/train0.png")
    name = photographs / "images/train0.png"
    assert stale(made)["label"].startswith(f"`{name}` and 1 more files of the data were replaced since")


def test_an_image_put_back_concerns_only_what_was_made_in_between(made, photographs, stale, again):
    path = photographs / "images/val1.png"
    shutil.copy2(path, photographs / "kept")
    replace(path)
    again(made, only="classify")
    shutil.copy2(photographs / "kept", path)
    found = stale(made)
    assert found["classify"] == f"`{path}` was replaced since"
    assert "replaced" not in found["evaluate"], "it was made from this image"


def test_a_replaced_mask_concerns_the_stages_that_read_masks(made, photographs, stale):
    path = photographs / "masks/train1.png"
    replace(path)
    assert stale(made) == {
        "evaluate": f"`{path}` was replaced since",
        "report": f"`{path}` was replaced since",
    }


def test_given_masks_are_compared_alone(recipe, photographs, tmp_path, stale):
    words = ["supervision.masks_share=0.34"]
    engine.run(recipe(*words), tmp_path / "run", say=lambda line: None)
    given = []
    for index in range(3):
        path = photographs / f"masks/train{index}.png"
        shutil.copy2(path, photographs / "kept")
        replace(path)
        given.append("replaced" in stale(tmp_path / "run", *words).get("label", ""))
        shutil.copy2(photographs / "kept", path)
    assert sum(given) == 1
    assert stale(tmp_path / "run", *words) == {}


def test_copied_data_is_hashed_once_and_makes_nothing_stale(made, photographs, stale, tmp_path, hashed):
    copy = shutil.copytree(photographs, tmp_path / "copy", copy_function=shutil.copyfile)
    assert stale(made, f"dataset.root={copy}") == {}
    assert sorted(hashed) == sorted(
        [f"{split}{index}.png" for split in ("train", "val") for index in range(3)] * 2
    )
    hashed.clear()
    assert stale(made, f"dataset.root={copy}") == {} and hashed == []


def test_unchanged_data_is_not_read_again(made, stale, again, hashed):
    assert stale(made) == {} and again(made) and hashed == []


def test_a_stopped_stage_starts_again_with_other_images(made, photographs, again):
    shutil.rmtree(made / "5_segment")
    fake_stages.FAILING["5_segment"] = InputError("no more")
    with pytest.raises(InputError, match="no more"):
        again(made)
    fake_stages.FAILING.clear()
    path = photographs / "images/train1.png"
    replace(path)
    said = again(made)
    line = f"segment: starts again; the files of a stopped run do not fit this recipe (`{path}` was replaced since)"
    assert line in said
    assert not Manifest.load(made / "5_segment").resumed


def test_runs_from_before_are_not_compared(made, photographs, stale, again):
    for stage in STAGES.values():
        if (manifest := made / stage.folder / "manifest.json").exists():
            content = json.loads(manifest.read_text())
            del content["data_revision"]
            manifest.write_text(json.dumps(content))
    shutil.rmtree(made / "data")
    replace(photographs / "images/train1.png")
    assert stale(made) == {} and again(made) and fake_stages.RAN == []


def test_broken_hashes_are_named(made, stale):
    (made / "data/contents/files.json").write_text("[]")
    with pytest.raises(
        InputError, match=r"contents/files\.json does not hold the hashes of a run's data; delete"
    ):
        stale(made)
