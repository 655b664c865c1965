"""Options that must fit each other; what one option alone can be stands with it (`wsseg.recipe.ranges`)."""

from wsseg.errors import InputError
from wsseg.recipe.ranges import Range, from_zero, interval
from wsseg.recipe.recipe import Recipe

# Below 1 the background wins nearly everywhere: surely a constant background's level left standing.
EXPONENT = Range(
    "an exponent from 1 up, as `label.background` is power", lambda level: level >= 1, "try 4 to 32"
)


def check_combinations(recipe: Recipe) -> None:
    """Fail on options that do not fit each other.

    Raises:
        InputError: The message names the options, what was expected and what to try.
    """
    _check_calibration(recipe)
    _check_level(recipe)


def _check_calibration(recipe: Recipe) -> None:
    label, threshold = recipe.label, recipe.label.threshold
    calibrates = threshold.rule == "calibration"
    if calibrates and threshold.split in (None, recipe.dataset.train):
        raise InputError(
            "`label.threshold.split` must name a split with masks other than the training split "
            f"`{recipe.dataset.train}`, whose masks a weakly supervised run never reads; "
            f"got {threshold.split!r}"
        )
    if label.crf_search.rounds and (not calibrates or label.crf.preset == "none"):
        raise InputError(
            "`label.crf_search` needs images with masks to score on, and a CRF: set `label.threshold.rule: "
            "calibration` with a `split`, and a `label.crf.preset` other than none"
        )


def _check_level(recipe: Recipe) -> None:
    """Check all levels against the kind of background that they are of."""
    label, threshold = recipe.label, recipe.label.threshold
    if label.background == "power" and threshold.rule == "otsu":
        raise InputError(
            "`label.threshold.rule: otsu` gives a constant level; use `label.background: constant`"
        )
    if label.background == "constant":
        level, unsure = interval("(0, 1)", "try 0.25"), interval("[0, 1)", "0 for none; try 0.1")
    else:
        level, unsure = EXPONENT, from_zero("0 for none", below=1e3)
    unsure.check("label.unsure", label.unsure)
    for one in recipe.evaluate.oracle_levels:
        level.check("evaluate.oracle_levels", one)
    if threshold.rule == "fixed":
        level.check("label.threshold.level", threshold.level)
    if threshold.rule == "calibration":
        for one in threshold.levels:
            level.check("label.threshold.levels", one)
