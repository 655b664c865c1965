import errno
import fcntl
import json
import os
import re
import shutil

import numpy as np
import pytest
from small_run import fake_stages

from wsseg.artifacts import Manifest, write_mask
from wsseg.engine import run as engine
from wsseg.engine.data_plan import Facts, planned_for
from wsseg.engine.definitions import differences, why_stale
from wsseg.errors import InputError
from wsseg.recipe.reading import load_recipe
from wsseg.stages import STAGES, inputs_of, plan

WEAK = ["classify", "localize", "propagate", "label", "segment", "evaluate", "report"]


pytestmark = pytest.mark.usefixtures("fakes")


def run(recipe, folder, only=None):
    said = []
    engine.run(recipe, folder, only, said.append)
    return said


def stale(recipe, folder):
    return {state.stage: state.why for state in engine.states(recipe, folder) if state.status == "stale"}


def folders(*names):
    return [STAGES[name].folder for name in names]


def test_plans(recipe):
    assert plan(recipe()) == WEAK
    assert plan(recipe("ceiling=true")) == [*WEAK[:5], "ceiling", *WEAK[5:]]
    supervised = recipe("segment.train_on=true_masks", "ceiling=true")
    assert plan(supervised) == ["segment", "evaluate", "report"]
    assert inputs_of(supervised, "evaluate") == ["segment"]
    from_classifier = recipe("segment.train_on=true_masks", "segment.weights=classifier")
    assert plan(from_classifier) == ["classify", "segment", "evaluate", "report"]
    assert inputs_of(from_classifier, "segment") == ["classify"]
    assert inputs_of(recipe("segment.weights=classifier"), "segment") == ["label", "classify"]


def test_stages_run_in_order_once(recipe, tmp_path):
    said = run(recipe(), tmp_path / "run")
    assert folders(*WEAK) == fake_stages.RAN
    assert [line.split(":")[0] for line in said if not line.startswith(("plan", " "))] == WEAK
    (classified,) = [line for line in said if line.startswith("classify: ")]
    assert f"1 set aside (see {tmp_path / 'run/1_classify/manifest.json'})" in classified
    manifest = Manifest.load(tmp_path / "run/4_label")
    assert (manifest.stage, manifest.counts, manifest.resumed) == ("label", {"images": 2}, False)
    assert {path.name for path in (tmp_path / "run/4_label").iterdir()} == {
        "first.txt",
        "second.txt",
        "manifest.json",
        "files.json",
    }
    said = run(recipe(), tmp_path / "run")
    assert folders(*WEAK) == fake_stages.RAN and all(line.endswith("done already, skipped") for line in said)
    assert [(s.stage, s.status) for s in engine.states(recipe(), tmp_path / "run")] == [
        (n, "done") for n in WEAK
    ]


def test_what_looks_wrong_is_said_and_kept(recipe, tmp_path):
    fake_stages.WARNINGS["4_label"] = ("all is foreground", "all is one class")
    said = run(recipe(), tmp_path / "run")
    place = next(index for index, line in enumerate(said) if line.startswith("label: made"))
    assert said[place + 1 : place + 3] == [
        "warning: label: all is foreground",
        "warning: label: all is one class",
    ]
    assert Manifest.load(tmp_path / "run/4_label").warnings == ["all is foreground", "all is one class"]
    assert Manifest.load(tmp_path / "run/1_classify").warnings == []


@pytest.mark.parametrize(
    ("option", "first", "said"),
    [
        ("classify.epochs=9", "classify", "`classify.epochs` changed from 8 to 9"),
        (
            "localize.scales=[0.5,1.0]",
            "localize",
            "`localize.scales` changed from [1.0, 0.5, 1.5, 2.0] to [0.5, 1.0]",
        ),
        ("label.crf.preset=psa", "label", "`label.crf.preset` changed from irn to psa"),
        ("segment.epochs=9", "segment", "`segment.epochs` changed from 12 to 9"),
        ("segment.scales=[0.5,1.0]", "segment", "`segment.scales` changed from [1.0] to [0.5, 1.0]"),
        ("segment.max_side=800", "segment", "`segment.max_side` changed from 1536 to 800"),
        ("evaluate.oracle_levels=[]", "evaluate", "`evaluate.oracle_levels` changed from"),
        ("report.images=3", "report", "`report.images` changed from 12 to 3"),
        ("label.threshold.rule=otsu", "label", "`label.threshold.rule` changed from fixed to otsu"),
        ("label.threshold.images=7", "label", "`label.threshold.images` changed from 100 to 7"),
        ("seed=3", "classify", "`seed` changed from 0 to 3"),
        ("dataset.options.val_share=0.3", "classify", "`dataset.options.val_share` is now 0.3"),
    ],
)
def test_an_option_makes_the_right_stages_stale(recipe, tmp_path, option, first, said):
    run(recipe(), tmp_path / "run")
    found = stale(recipe(option), tmp_path / "run")
    assert list(found) == WEAK[WEAK.index(first) :]
    assert said in found[first]
    said_again = run(recipe(option), tmp_path / "run")
    assert f"{first}: reruns: {found[first]}" in said_again
    assert fake_stages.RAN[len(WEAK) :] == folders(*found)
    assert stale(recipe(option), tmp_path / "run") == {}


@pytest.mark.parametrize("option", ["label.workers=3", "segment.train_on=pseudo_masks"])
def test_an_option_that_changes_no_result_makes_nothing_stale(recipe, tmp_path, option):
    run(recipe(), tmp_path / "run")
    assert stale(recipe(option), tmp_path / "run") == {}


def test_a_stage_downstream_says_which_input_changed(recipe, tmp_path):
    run(recipe(), tmp_path / "run")
    found = stale(recipe("localize.flip=false"), tmp_path / "run")
    assert found["localize"] == "`localize.flip` changed from True to False"
    assert found["propagate"] == "its input changed: `localize`"
    assert found["evaluate"] == "its input changed: `propagate`, `label`, `segment`"


def test_calibration_concerns_localize_too(recipe, tmp_path):
    run(recipe(), tmp_path / "run")
    found = stale(recipe("label.threshold.rule=calibration", "label.threshold.split=more"), tmp_path / "run")
    assert list(found) == WEAK[1:]
    assert "`label.threshold.rule` is now calibration" in found["localize"]
    assert "the data changed: `calibration_masks`" in found["localize"]


def test_options_of_stages_that_a_supervised_recipe_has_not(recipe, tmp_path):
    words = ["segment.train_on=true_masks"]
    run(recipe(*words), tmp_path / "run")
    assert folders("segment", "evaluate", "report") == fake_stages.RAN
    assert stale(recipe(*words, "label.unsure=0.1", "localize.flip=false"), tmp_path / "run") == {}


def test_moving_the_data_makes_nothing_stale(recipe, photographs, tmp_path):
    run(recipe(), tmp_path / "run")
    shutil.move(photographs, tmp_path / "elsewhere")
    assert stale(recipe(f"dataset.root={tmp_path / 'elsewhere'}"), tmp_path / "run") == {}


def replace(path, old, new):
    path.write_text(path.read_text().replace(old, new))


def test_data_that_changed(recipe, photographs, tmp_path):
    run(recipe(), tmp_path / "run")
    labels = photographs / "labels.csv"
    kept = labels.read_text()

    replace(labels, "train1.png,dog", "train1.png,cat")
    found = stale(recipe(), tmp_path / "run")
    assert found["classify"] == "the data changed: `train`"
    assert found["evaluate"].startswith("the data changed: `train_masks`")
    labels.write_text(kept)
    assert stale(recipe(), tmp_path / "run") == {}

    shutil.copy(photographs / "images/val0.png", photographs / "images/new.png")
    labels.write_text(kept + "new.png,cat,val\n")
    assert stale(recipe(), tmp_path / "run")["classify"] == "the data changed: `val`"
    labels.write_text(kept)

    write_mask(photographs / "masks/val1.png", np.eye(20, dtype=np.uint8))
    assert stale(recipe(), tmp_path / "run") == {
        "evaluate": "the data changed: `val_masks`",
        "report": "the data changed: `val_masks`",
    }


def test_masks_of_the_training_split_concern_full_supervision(recipe, photographs, tmp_path):
    run(recipe("segment.train_on=true_masks"), tmp_path / "run")
    write_mask(photographs / "masks/train1.png", np.eye(20, dtype=np.uint8))
    found = stale(recipe("segment.train_on=true_masks"), tmp_path / "run")
    assert found["segment"] == "the data changed: `train_masks`"


def test_initial_weights_count_by_their_content(recipe, tmp_path):
    weights = tmp_path / "a.weights.h5"
    weights.write_bytes(b"1")
    run(recipe(f"classify.weights={weights}"), tmp_path / "run")
    shutil.copy(weights, tmp_path / "b.weights.h5")
    other = recipe(f"classify.weights={tmp_path / 'b.weights.h5'}")
    assert stale(other, tmp_path / "run") == {}
    (tmp_path / "b.weights.h5").write_bytes(b"2")
    assert stale(other, tmp_path / "run")["classify"] == "the data changed: `classify.weights`"


def test_what_a_late_stage_needs_is_missed_at_once(recipe, tmp_path):
    with pytest.raises(InputError, match=r"absent\.h5 cannot be read"):
        run(recipe("segment.weights=absent.h5"), tmp_path / "run")
    assert fake_stages.RAN == []


def test_a_stage_that_failed_resumes(recipe, tmp_path):
    fake_stages.FAILING["4_label"] = InputError("no more")
    with pytest.raises(InputError, match="no more"):
        run(recipe(), tmp_path / "run")
    partial = tmp_path / "run/4_label.partial"
    first = (partial / "first.txt").read_text()
    (partial / ".second.txt.77.partial").write_text("half")
    states = {state.stage: (state.status, state.why) for state in engine.states(recipe(), tmp_path / "run")}
    assert states["propagate"] == ("done", "")
    assert states["label"] == ("next", "begun, will resume")
    assert states["segment"] == ("waiting", "")

    fake_stages.FAILING.clear()
    said = run(recipe(), tmp_path / "run")
    assert "label: resumes" in said
    assert (tmp_path / "run/4_label/first.txt").read_text() == first
    assert Manifest.load(tmp_path / "run/4_label").resumed
    assert not partial.exists() and not list((tmp_path / "run/4_label").glob(".*"))


def planned(said):
    """The lines of the plan, in columns: stage, state, what it will do."""
    return {
        line.split()[0]: re.split(r"  +", line.strip(), maxsplit=2)[1:] for line in said if line[0] == " "
    }


def test_the_plan_is_said_before_anything_runs(recipe, tmp_path):
    said = run(recipe(), tmp_path / "run")
    assert said[0] == f"plan of `test` in {tmp_path / 'run'}:"
    assert [line.split()[0] for line in said[1 : len(WEAK) + 1]] == WEAK
    plans = planned(said)
    assert {name: state for name, (state, _) in plans.items()} == dict.fromkeys(WEAK, "will run")
    assert plans["classify"][1] == "train gap on mobilenet_0.75, 8 epochs of 3 images"
    assert plans["segment"][1] == "train deeplab_v3_plus on pseudo-masks, 12 epochs of 3 images"
    # Nothing is planned where nothing is to be done, nor for one stage alone.
    assert planned(run(recipe(), tmp_path / "run")) == {}
    assert planned(run(recipe("label.unsure=0.1"), tmp_path / "run", "label")) == {}


def test_the_plan_says_what_is_done_and_what_resumes(recipe, tmp_path):
    run(recipe(), tmp_path / "run", "classify")
    run(recipe(), tmp_path / "run", "localize")
    run(recipe("localize.scales=[1]"), tmp_path / "run", "localize")
    fake_stages.FAILING["3_propagate"] = InputError("no more")
    with pytest.raises(InputError, match="no more"):
        run(recipe(), tmp_path / "run")
    fake_stages.FAILING.clear()
    plans = planned(run(recipe(), tmp_path / "run"))
    assert [plans[name][0] for name in WEAK] == ["done", "done", "resumes", *["will run"] * 4]
    plans = planned(run(recipe("label.unsure=0.1"), tmp_path / "run"))
    assert [plans[name][0] for name in WEAK] == ["done"] * 3 + ["will rerun"] * 4


@pytest.mark.parametrize("name", STAGES)
def test_every_stage_says_what_it_will_do(name):
    """With one network for all, also where a recipe has not the stage."""
    for built_in in ("scenes", "scenes_instances", "photographs", "voc12_deeplab_v2"):
        known, _ = planned_for(load_recipe(built_in), Facts(images=1234, long_side=320, spread=1.0))
        line = STAGES[name].plan_line(known, 1234)
        assert line and "None" not in line and len(line) < 110
        trains = STAGES[name].folder[0] in "15" or name == "relabel"
        assert ("epoch" in line and "of 1,234 images" in line) == trains or name == "propagate"


def test_what_was_begun_with_other_options_is_dropped_and_said(recipe, tmp_path):
    fake_stages.FAILING["4_label"] = InputError("no more")
    with pytest.raises(InputError):
        run(recipe(), tmp_path / "run")
    other = recipe("label.unsure=0.1")
    states = {state.stage: state.why for state in engine.states(other, tmp_path / "run")}
    assert states["label"] == "begun with other options or data, will start again"
    fake_stages.FAILING.clear()
    first = (tmp_path / "run/4_label.partial/first.txt").read_text()
    said = run(other, tmp_path / "run")
    (line,) = [line for line in said if line.startswith("label: starts again")]
    assert "`label.unsure` changed from 0.0 to 0.1" in line
    assert (tmp_path / "run/4_label/first.txt").read_text() != first
    assert not Manifest.load(tmp_path / "run/4_label").resumed


def test_a_partial_folder_that_does_not_say_what_it_is_is_dropped(recipe, tmp_path):
    run(recipe(), tmp_path / "run", "classify")
    (tmp_path / "run/2_localize.partial").mkdir()
    (tmp_path / "run/2_localize.partial/first.txt").write_text("foreign")
    run(recipe(), tmp_path / "run", "localize")
    assert (tmp_path / "run/2_localize/first.txt").read_text() != "foreign"


def test_the_old_result_stands_until_the_new_one_is_whole(recipe, tmp_path):
    run(recipe(), tmp_path / "run")
    fake_stages.FAILING["4_label"] = InputError("no more")
    with pytest.raises(InputError):
        run(recipe("label.unsure=0.1"), tmp_path / "run")
    assert stale(recipe(), tmp_path / "run") == {}


def test_an_error_of_the_system_becomes_one_for_the_user(recipe, tmp_path):
    fake_stages.FAILING["2_localize"] = OSError(errno.ENOSPC, "No space left on device", "maps/a.npz")
    with pytest.raises(
        InputError, match=r"`localize` cannot read or write maps/a\.npz: No space left.*resumes"
    ):
        run(recipe(), tmp_path / "run")
    fake_stages.FAILING.clear()
    assert "localize: resumes" in run(recipe(), tmp_path / "run")


def test_an_operation_that_onednn_lacks_is_said_in_one_line(recipe, tmp_path):
    """The error is oneDNN's own, as TensorFlow 2.21 raises it for half precision under ONEDNN_MAX_CPU_ISA=AVX2."""
    text = (
        "Status: 3, message: could not create a primitive descriptor for the convolution forward propagation"
    )
    fake_stages.FAILING["1_classify"] = RuntimeError(text)
    with pytest.raises(
        InputError, match=r"no operation for `precision: mixed_float16` here .*; use `precision: float32`"
    ):
        run(recipe("precision=mixed_float16"), tmp_path / "run")
    with pytest.raises(RuntimeError):  # with float32 it is no such case
        run(recipe(), tmp_path / "other")


def test_a_bug_is_not_hidden(recipe, tmp_path):
    fake_stages.FAILING["2_localize"] = ZeroDivisionError()
    with pytest.raises(ZeroDivisionError):
        run(recipe(), tmp_path / "run")


def test_a_stage_alone_needs_its_inputs(recipe, tmp_path):
    with pytest.raises(
        InputError, match="`label` needs `propagate` first; run `wsseg propagate` or `wsseg run`"
    ):
        run(recipe(), tmp_path / "run", "label")
    run(recipe(), tmp_path / "run")
    with pytest.raises(InputError, match="`label` needs `propagate` first"):
        run(recipe("localize.flip=false"), tmp_path / "run", "label")  # it is there, but of other options
    with pytest.raises(InputError, match="recipe `test` has no stage `ceiling`; it has classify, localize"):
        run(recipe(), tmp_path / "run", "ceiling")


def test_another_recipes_folder(recipe, tmp_path):
    run(recipe(), tmp_path / "run", "classify")
    before = sorted(path.name for path in (tmp_path / "run").iterdir())
    with pytest.raises(
        InputError, match="was made by the recipe `test`, not `other`; choose another with --run"
    ):
        run(recipe("name=other"), tmp_path / "run")
    assert before == sorted(path.name for path in (tmp_path / "run").iterdir())
    assert json.loads((tmp_path / "run/recipe.json").read_text())["name"] == "test"


def test_a_recipe_that_cannot_work_is_not_kept(recipe, tmp_path, monkeypatch):
    run(recipe(), tmp_path / "run", "classify")
    before = (tmp_path / "run/recipe.json").read_text()

    def refuse(splits):
        raise InputError("no such network")

    with monkeypatch.context() as patched, pytest.raises(InputError, match="no such network"):
        patched.setattr(engine, "check_parts", refuse)
        run(recipe("segment.epochs=3"), tmp_path / "run")
    assert (tmp_path / "run/recipe.json").read_text() == before
    with pytest.raises(InputError, match="stage `label` needs `propagate` first"):
        run(recipe(), tmp_path / "new", "label")
    assert not (tmp_path / "new/recipe.json").exists()


def test_a_folder_of_other_things_is_left_alone(recipe, tmp_path):
    (tmp_path / "letters").mkdir()
    (tmp_path / "letters/a.txt").write_text("dear")
    with pytest.raises(InputError, match="letters is not empty and is not a run folder"):
        run(recipe(), tmp_path / "letters")
    assert [path.name for path in (tmp_path / "letters").iterdir()] == ["a.txt"]


def test_an_owner_file_of_something_else(recipe, tmp_path):
    (tmp_path / "run").mkdir()
    (tmp_path / "run/recipe.json").write_text("[]")
    with pytest.raises(InputError, match=r"recipe\.json does not belong to a run"):
        run(recipe(), tmp_path / "run")


def test_two_processes_do_not_share_a_run(recipe, tmp_path):
    run(recipe(), tmp_path / "run", "classify")
    with (tmp_path / "run/.lock").open("w") as file:
        fcntl.flock(
            file, fcntl.LOCK_EX
        )  # a lock belongs to the opened file: so it keeps out this process too
        with pytest.raises(InputError, match="another wsseg process works in"):
            run(recipe(), tmp_path / "run")
    assert "classify: done already, skipped" in run(recipe(), tmp_path / "run")


def test_a_run_folder_that_cannot_be_made(recipe, tmp_path):
    (tmp_path / "file").write_text("")
    for folder in (tmp_path / "file", tmp_path / "file/run"):
        with pytest.raises(
            InputError, match=r"run folder .*file.* cannot be written \(.*choose another with --run"
        ):
            run(recipe(), folder)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_a_run_folder_without_permission(recipe, tmp_path):
    (tmp_path / "run").mkdir(mode=0o555)
    with pytest.raises(InputError, match="cannot be written"):
        run(recipe(), tmp_path / "run")


def test_differences_of_definitions():
    old = {"a": 1, "b": {"c": [1, 2], "gone": 3}}
    assert differences(old, {"a": 1, "b": {"c": [1], "new": 4}}) == [
        "`b.c` changed from [1, 2] to [1]",
        "`b.gone` is no longer 3",
        "`b.new` is now 4",
    ]
    assert differences(old, old) == []


def test_a_definition_of_another_version_is_said_to_be_that():
    new = {"options": {"seed": 0}, "data": {}, "inputs": {}}
    assert why_stale(new | {"more": 1}, new) == "it was defined by another version of wsseg"
