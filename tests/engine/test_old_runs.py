"""Runs from before the stages became objects are still done: what a stage is made from has the same digest."""

import json
from pathlib import Path

import pytest

from wsseg.artifacts import digest
from wsseg.engine import definitions as module
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
