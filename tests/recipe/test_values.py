import pytest

from wsseg.errors import InputError
from wsseg.recipe.reading import load_recipe

POWER = ["--label.background=power", "--label.threshold.level=4", "--evaluate.oracle_levels=[4,8]"]


@pytest.mark.parametrize(
    ("option", "value", "message"),
    [
        ("name", " ", "`name` must be a folder's name"),
        ("seed", "-1", r"`seed` must be in \[0, 2\^31\); got -1"),
        ("classify.epochs", "0", "`classify.epochs` must be at least 1; got 0"),
        ("segment.batch_size", "-3", "`segment.batch_size` must be at least 1"),
        ("segment.crop", "16", "`segment.crop` must be at least 32"),
        ("segment.channels", "0", "`segment.channels` must be at least 1"),
        (
            "segment.auxiliary_weight",
            "-0.1",
            "`segment.auxiliary_weight` must be 0 or more; try 0.4; got -0.1",
        ),
        ("segment.auxiliary_weight", ".nan", "`segment.auxiliary_weight` must be 0 or more"),
        ("localize.absent", "2", r"`localize.absent` must be in \[0, 1\]"),
        ("segment.teacher.weight", "-1", "`segment.teacher.weight` must be 0 for no teacher"),
        ("segment.teacher.momentum", "1", r"`segment.teacher.momentum` must be in \[0, 1\)"),
        ("segment.max_side", "16", "`segment.max_side` must be at least 32, or null for no limit"),
        ("classify.learning_rate", "0", "`classify.learning_rate` must be positive; try 0.01; got 0.0"),
        ("classify.learning_rate", ".nan", "`classify.learning_rate` must be positive"),
        ("classify.weight_decay", "-0.1", "`classify.weight_decay` must be 0 or more"),
        ("segment.head_multiplier", "0", "`segment.head_multiplier` must be positive"),
        ("segment.jitter", "1.5", r"`segment.jitter` must be in \[0, 1\]"),
        ("segment.output_stride", "4", "`segment.output_stride` must be 8, 16 or 32; got 4"),
        (
            "classify.long_side",
            "[64,32]",
            r"`classify.long_side` must be a rising range from 16 up; got \[64, 32\]",
        ),
        ("classify.erase", "1.0", r"`classify.erase` must be in \[0, 1\)"),
        ("localize.scales", "[]", "`localize.scales` must be positive"),
        ("localize.scales", "[1.0,-0.5]", "`localize.scales` must be positive.*try"),
        ("localize.map_stride", "0", "`localize.map_stride` must be at least 1"),
        ("localize.output_stride", "12", "`localize.output_stride` must be 8, 16 or 32, or null"),
        ("label.workers", "0", "`label.workers` must be a number of processes"),
        ("label.unsure", "1.0", r"`label.unsure` must be in \[0, 1\)"),
        ("label.crf.iterations", "0", "`label.crf.iterations` must be at least 1"),
        ("label.crf.parameters", "{bilateral_xy: 3}", "no `bilateral_xy`; did you mean `bilateral_sxy`"),
        (
            "segment.crf.parameters",
            "{bilateral_sxy: 0}",
            "`segment.crf.parameters.bilateral_sxy` must be positive",
        ),
        ("label.crf_search.rounds", "2", "`label.crf_search` needs images with masks"),
        ("label.threshold.level", "1.0", r"`label.threshold.level` must be in \(0, 1\)"),
        ("evaluate.levels", "[0.2,1.2]", r"`evaluate.levels` must be in \[0, 1\]"),
        ("evaluate.oracle_levels", "[0.0]", r"`evaluate.oracle_levels` must be in \(0, 1\)"),
        ("report.images", "-1", "`report.images` must be 0 or more"),
    ],
)
def test_values_that_cannot_work(option, value, message):
    with pytest.raises(InputError, match=message):
        load_recipe(overrides=[f"--{option}={value}"])


def test_a_power_background_has_exponents():
    assert load_recipe(overrides=POWER).label.background == "power"
    with pytest.raises(InputError, match=r"`label.threshold.level` must be an exponent from 1 up"):
        load_recipe(overrides=[POWER[0], POWER[2]])
    with pytest.raises(InputError, match=r"`evaluate.oracle_levels` must be an exponent from 1 up"):
        load_recipe(overrides=POWER[:2])
    with pytest.raises(InputError, match=r"otsu` gives a constant level; use `label.background: constant`"):
        load_recipe(overrides=[*POWER, "--label.threshold.rule=otsu"])


def test_calibration_needs_another_split_than_the_training_one():
    words = ["--label.threshold.rule=calibration"]
    for more in (
        [],
        ["--label.threshold.split=train"],
        ["--dataset.train=all", "--label.threshold.split=all"],
    ):
        with pytest.raises(
            InputError, match=r"`label.threshold.split` must name a split with masks other than"
        ):
            load_recipe(overrides=[*words, *more])
    words.append("--label.threshold.split=held_out")
    assert load_recipe(overrides=words).label.threshold.split == "held_out"
    with pytest.raises(InputError, match=r"`label.threshold.levels` must be one level or more"):
        load_recipe(overrides=[*words, "--label.threshold.levels=[]"])
    with pytest.raises(InputError, match=r"`label.threshold.images` must be at least 1"):
        load_recipe(overrides=[*words, "--label.threshold.images=0"])
