"""Options that must fit each other; what one option alone can be stands with it (`wsseg.recipe.ranges`)."""

from wsseg.errors import InputError
from wsseg.recipe.auto import AUTO
from wsseg.recipe.decisions import keeps_best
from wsseg.recipe.ranges import Range, from_zero, interval
from wsseg.recipe.recipe import Recipe
from wsseg.refiners.background_levels import RULES

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
    _check_kept_epochs(recipe)


def _check_kept_epochs(recipe: Recipe) -> None:
    for section in ("classify", "segment"):
        config = getattr(recipe, section)
        if keeps_best(config) and not config.validation_images:
            option = "keep: best" if config.keep == "best" else f"patience: {config.patience}"
            raise InputError(
                f"`{section}.{option}` needs validation images; set `{section}.validation_images` (try 64), or use "
                "`keep: last` and `patience: 0`"
            )


def _check_calibration(recipe: Recipe) -> None:
    label, threshold = recipe.label, recipe.label.threshold
    by_masks = RULES[threshold.rule].needs_masks
    if by_masks and threshold.split in (None, recipe.dataset.train):
        raise InputError(
            "`label.threshold.split` must name a split with masks other than the training split "
            f"`{recipe.dataset.train}`, whose masks a weakly supervised run never reads; "
            f"got {threshold.split!r}"
        )
    if label.crf_search.rounds and (not by_masks or label.crf.preset == "none"):
        raise InputError(
            "`label.crf_search` needs images with masks to score on, and a CRF: set `label.threshold.rule: "
            "calibration` with a `split`, and a `label.crf.preset` other than none"
        )


def _check_level(recipe: Recipe) -> None:
    """Check all levels against the kind of background that they are of."""
    label, threshold = recipe.label, recipe.label.threshold
    rule = RULES[threshold.rule]
    if label.background not in rule.backgrounds:
        kind = rule.backgrounds[0]
        raise InputError(
            f"`label.threshold.rule: {threshold.rule}` gives a {kind} level; use `label.background: {kind}`"
        )
    if threshold.level == AUTO and label.background != "constant":
        raise InputError("`label.threshold.level: auto` needs `label.background: constant`; give a level")
    if label.background == "constant":
        level, unsure = interval("(0, 1)", "try 0.25"), interval("[0, 1)", "0 for none; try 0.1")
    else:
        level, unsure = EXPONENT, from_zero("0 for none", below=1e3)
    unsure.check("label.unsure", label.unsure)
    for one in recipe.evaluate.oracle_levels:
        level.check("evaluate.oracle_levels", one)
    if rule.levels is not None:
        used = getattr(threshold, rule.levels)
        for one in used if isinstance(used, tuple) else (used,):
            if one != AUTO:
                level.check(f"label.threshold.{rule.levels}", one)
