"""What stands with an option: help, range, and its part in a stage's identity."""

import dataclasses
import re
import subprocess
import sys

import pytest

from wsseg.errors import InputError
from wsseg.recipe import (
    ClassifyConfig,
    DatasetConfig,
    DetectConfig,
    LabelConfig,
    LocalizeConfig,
    PropagateConfig,
    Recipe,
    RelabelConfig,
    SegmentConfig,
    TeacherConfig,
    TrainingConfig,
    identity,
    load_recipe,
    to_plain,
)
from wsseg.recipe.listing import help_of, list_options
from wsseg.recipe.marks import check_ranges, marks_of, options_of
from wsseg.recipe.ranges import at_least, each, increasing, interval, multiple_of, one_of

TRAININGS = (ClassifyConfig, PropagateConfig, SegmentConfig, DetectConfig)


@pytest.mark.parametrize("option", list(options_of(Recipe())), ids=lambda option: option.path)
def test_every_option_has_help_that_starts_with_a_noun(option):
    text = help_of(option)
    assert text.endswith((".", ").")) and text[0].isupper(), "a sentence"
    assert text.split()[0] not in ("Of", "As", "The", "Whether", "How", "Where", "What", "Also"), (
        "a noun first"
    )


def test_the_defaults_are_in_their_ranges():
    check_ranges(Recipe())
    check_ranges(TrainingConfig())


def test_trainings_share_their_options_and_ranges():
    shared = {field.name for field in dataclasses.fields(TrainingConfig)}
    assert len(shared) == 14
    for section in TRAININGS:
        for name in shared - {"crop"}:
            assert marks_of(section, name) == marks_of(TrainingConfig, name)
    assert (
        marks_of(SegmentConfig, "crop") == marks_of(TrainingConfig, "crop") != marks_of(DetectConfig, "crop")
    )


@pytest.mark.parametrize("stage", ["classify", "propagate", "segment", "detect"])
@pytest.mark.parametrize(
    ("option", "value"), [("epochs", "0"), ("crop", "31"), ("jitter", "-0.1"), ("long_side", "[8,16]")]
)
def test_every_training_checks_them(stage, option, value):
    with pytest.raises(InputError, match=rf"`{stage}\.{option}` must be "):
        load_recipe(overrides=[f"--{stage}.{option}={value}"])


@pytest.mark.parametrize(
    ("option", "value", "message"),
    [
        ("propagate.radius", "1", "must be at least 2 cells; try 5; got 1"),
        ("propagate.beta", "0", "must be positive; try 10; got 0.0"),
        ("propagate.steps", "-1", "must be 0 or more; try 256; got -1"),
        ("propagate.output_stride", "4", "must be 8, 16 or 32; got 4"),
        ("detect.size", "100", "must be a multiple of 32; try 512; got 100"),
        ("detect.objects", "0", "must be 1 or more; try 50; got 0"),
        ("label.crf_search.bilateral_sxy", "[5.0, 3.0]", "must be one positive value or several rising ones"),
        ("label.crf_search.rounds", "-1", "must be 0 for no search, or more; try 2; got -1"),
    ],
)
def test_what_one_option_cannot_be_is_said_when_it_is_read(option, value, message):
    with pytest.raises(InputError, match=f"`{re.escape(option)}` {message}"):
        load_recipe(overrides=[f"--{option}={value}"])


def test_ranges():
    for limits, inside, outside in (
        (at_least(2), (2, 3.5), (1, float("nan"), "text")),
        (interval("[0, 1)"), (0, 0.5), (-0.1, 1, float("nan"))),
        (interval("(0, 1]"), (0.1, 1), (0, 1.1)),
        (one_of(8, 16), (8, 16), (32, "8")),
        (multiple_of(32), (32, 64), (0, 33, -32)),
        (increasing(16), ((16, 16), [20, 30]), ((15, 20), (30, 20), (16,))),
        (each(interval("[0, 1]")), ((), (0, 1)), ((0, 2), 3)),
    ):
        for value in inside:
            limits.check("x", value)
        for value in outside:
            with pytest.raises(InputError, match=r"^`x` must be"):
                limits.check("x", value)


def test_identity_leaves_out_what_is_ignored_and_later_options_at_their_default():
    changed = [(DatasetConfig(root="data"), DatasetConfig()), (LabelConfig(workers=3), LabelConfig())]
    changed += [(section(weights="a file"), section()) for section in TRAININGS]
    for one, other in changed:
        assert one != other and identity(one) == identity(other)
    for section, later in (
        (ClassifyConfig, {"loss": "generalised", "loss_options": {"q": 0.5}}),
        (LocalizeConfig, {"absent": 0.5, "scaling": "range"}),
        (RelabelConfig, {"epochs": 3}),
        (SegmentConfig, {"teacher": TeacherConfig(weight=1.0)}),
    ):
        for name, value in later.items():
            assert name not in identity(section())
            assert identity(section(**{name: value})) == identity(section()) | {name: to_plain(value)}


def test_the_list_of_options():
    text = list_options()
    for option in options_of(Recipe()):
        assert f"\n  --{option.path}: " in text
    narrow = [line for line in list_options(width=60).splitlines() if not line.startswith("  --")]
    assert 50 < max(map(len, narrow)) <= 60
    assert "--segment.max_side: a whole number, at least 32, or null for no limit; default: 1536\n" in text
    assert "--detect.size: a whole number, a multiple of 32, or null; default: null\n" in text


def test_recipes_are_read_without_the_engine():
    program = "import sys, wsseg.recipe; sys.exit('wsseg.engine' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", program]).returncode == 0
