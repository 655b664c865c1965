"""The time left of a run on hand-worked numbers."""

import types

import pytest

from wsseg.engine.time_left import CRF_SECONDS, TimeLeft
from wsseg.recipe.reading import load_recipe
from wsseg.stages import STAGES, plan
from wsseg.stages.plan_costs import Cost, Sizes

COSTS = {
    "classify": Cost(network=100),
    "label": Cost(crf=2e6),
    "segment": Cost(network=300),
    "evaluate": Cost(network=50, crf=1e6),
    "report": Cost(),
}


@pytest.fixture
def clock():
    return types.SimpleNamespace(now=1000.0)


def left_of(clock, seconds=()):
    return TimeLeft(COSTS, dict(seconds), lambda: clock.now)


def test_the_first_bar_gives_the_rate_of_the_networks(clock):
    left = left_of(clock)
    assert left(10, "steps", 1.0) is None  # no stage runs
    left.start("classify")
    clock.now += 20
    # 20 s passed and 30 s are left of 100 units: 0.5 s per unit. Label takes 2 s, segment 150 s, evaluate 25 + 1 s.
    assert left(30, "steps", 1.0) == pytest.approx(30 + 2e6 * CRF_SECONDS + 150 + 25 + 1e6 * CRF_SECONDS)


def test_stages_that_are_done_and_the_one_that_runs_count_by_their_cost(clock):
    left = left_of(clock)
    left.start("classify")
    clock.now += 60
    left.finish()
    left.start("label")
    clock.now += 8
    left.finish()
    left.start("segment")
    clock.now += 40
    # Networks: (60 + 40 + 200) s of 100 + 300 units. CRF: 8 s of 2e6. Evaluate takes 50 * 0.75 + 4.
    assert left(200, "steps", 1.0) == pytest.approx(200 + 37.5 + 4)
    clock.now += 200
    left.finish()
    left.start("evaluate")
    clock.now += 10
    # This bar is one part of the stage, which takes 41.5 s by the model; nothing is left of the run but that.
    assert left(3, "images", 1.0) == pytest.approx(31.5)
    assert left(90, "images", 1.0) == pytest.approx(90)


def test_a_resumed_stage_counts_by_its_share(clock):
    left = left_of(clock, {"classify": 60.0, "label": None})
    left.start("segment")
    clock.now += 10
    # A third of the steps: 100 units in 10 + 40 s; 0.55 s per unit with the classifier's. Label's time is not known.
    assert left(40, "steps", 1 / 3) == pytest.approx(40 + 50 * (60 + 50) / 200 + 1e6 * CRF_SECONDS)
    left.finish(whole=False)
    left.start("evaluate")
    clock.now += 1
    assert left(0, "images", 1.0) == pytest.approx(50 * 0.6 + 1 - 1)  # the classifier alone is measured


def test_nothing_is_said_before_a_rate_is_known(clock):
    left = left_of(clock, {"classify": None})
    left.start("label")
    clock.now += 1
    assert left(5, "images", 1.0) is None  # nothing has measured a network yet
    left.finish()
    left.start("segment")
    clock.now += 1
    assert left(5, "steps", 1.0) is not None


def test_costs_of_a_recipe_worked_by_hand():
    words = [
        "--ceiling",
        "true",
        "--classify.crop",
        "100",
        "--classify.epochs",
        "2",
        "--classify.batch_size",
        "8",
    ]
    words += ["--segment.crop", "200", "--segment.epochs", "3", "--segment.batch_size", "10"]
    words += ["--segment.scales", "[1.0,0.5]", "--localize.scales", "[1.0,2.0]", "--localize.flip", "false"]
    words += ["--relabel.rounds", "2", "--relabel.epochs", "1", "--evaluate.oracle_levels", "[0.2,0.3]"]
    recipe, sizes = load_recipe(overrides=words), Sizes(train=25, val=10, pixels=1000.0)
    found = {name: STAGES[name].cost(recipe, sizes) for name in plan(recipe)}
    assert found["classify"] == Cost(network=3 * 2 * 24 * 100**2 + 10 * 1000)
    assert found["localize"] == Cost(network=25 * 1000 * (1 + 4))
    assert found["propagate"] == found["report"] == Cost()
    assert found["label"] == Cost(crf=25 * 1000)
    assert found["relabel"] == Cost(network=2 * (3 * 20 * 200**2 + 25 * 1000 * 2), crf=2 * 25 * 1000)
    assert found["segment"] == found["ceiling"] == Cost(network=3 * 3 * 20 * 200**2)
    assert found["evaluate"] == Cost(network=2 * 10 * 1000 * 1.25 * 2, crf=2 * 25 * 1000)


@pytest.mark.parametrize(
    "words",
    [
        ["--segment.train_on", "true_masks"],
        ["--propagate.method", "irn", "--propagate.instances", "true", "--detect.network", "mask_rcnn"],
        ["--segment.network", "none", "--propagate.method", "psa"],
    ],
)
def test_every_stage_but_the_report_has_a_cost(words):
    recipe = load_recipe(overrides=words)
    for name in set(plan(recipe)) - {"report"}:
        cost = STAGES[name].cost(recipe, Sizes(25, 10, 1000.0))
        assert cost.network + cost.crf > 0 or (name == "propagate" and recipe.propagate.method == "none")
