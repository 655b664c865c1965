"""Runs from before the stages became objects are still done: what a stage is made from has the same digest."""

import json
from functools import partial
from pathlib import Path

import pytest
from small_run import fake_stages

from wsseg.artifacts import digest
from wsseg.engine import definitions as module
from wsseg.engine import run as engine
from wsseg.engine import states
from wsseg.recipe.reading import load_recipe
from wsseg.stages import plan
from wsseg.supervision.splits import Splits

OLD = json.loads((Path(__file__).parent / "digests_of_0_1.json").read_text())
"""Kind of recipe -> its options over the defaults, and each stage's digest, computed by commit a6c5878.

Parts of the data stand there with their names for their hashes, so that no file is read.
"""


@pytest.mark.parametrize("kind", OLD)
def test_a_stage_is_made_from_what_it_was_made_from(monkeypatch, kind):
    monkeypatch.setattr(Splits, "fingerprint", lambda self, part: part)
    for part in module.FURTHER_DATA:
        monkeypatch.setitem(module.FURTHER_DATA, part, lambda splits, part=part: part)
    recipe = load_recipe(overrides=OLD[kind]["options"])
    definitions = module.Definitions(Splits(recipe))
    assert {name: digest(definitions.of(name)) for name in plan(recipe)} == OLD[kind]["digests"]


@pytest.fixture
def made_by_another(made):
    """A finished run whose label stage was made by another version."""
    path = made / "4_label/manifest.json"
    content = json.loads(path.read_text())
    content["versions"]["wsseg"] = "0.0.9"
    path.write_text(json.dumps(content))
    return made


@pytest.mark.usefixtures("fakes")
def test_a_stage_of_another_version_is_still_done_and_it_is_said(made_by_another, recipe, again):
    found = {state.stage: (state.status, state.why) for state in engine.states(recipe(), made_by_another)}
    assert found["label"] == ("done", "made by wsseg 0.0.9, still done")
    assert found["classify"] == ("done", "")
    again(made_by_another)
    assert fake_stages.RAN == []


@pytest.mark.usefixtures("fakes")
def test_a_version_that_gives_other_results_makes_it_again(made_by_another, again, stale, monkeypatch):
    changed_in = {"0.1.0": ("label", "report"), "0.0.9": ("label",), "0.0.2": ("segment",)}
    monkeypatch.setattr(states, "changed_since", partial(states.changed_since, changed_in=changed_in))
    assert stale(made_by_another)["label"] == "wsseg 0.1.0 gives other results than 0.0.9, which made it"
    again(made_by_another)
    assert fake_stages.RAN[0] == "4_label" and stale(made_by_another) == {}
