"""Values that an option cannot have: of the wrong type, or of the right one and of no use."""

import dataclasses
import itertools
import re
import types
import typing
from typing import TYPE_CHECKING, Any

from wsseg.errors import InputError, nearest, require
from wsseg.refiners.dense_crf.presets import PRESETS

if TYPE_CHECKING:
    from wsseg.recipe import Recipe, SegmentConfig

NAMES = {int: "a whole number", float: "a number", str: "text", bool: "true or false", type(None): "null"}


def explained(message: str, recipe: type) -> str:
    r"""Turn jsonargparse's message about a value into one that says what was expected.

    Args:
        message: What it says; other messages come back as they are.
        recipe: The dataclass whose options it parsed.

    Example:
        >>> from wsseg.recipe import Recipe
        >>> message = "Parser key \"segment.epochs\":\n  Expected a <class 'int'>. Got value: three"
        >>> explained(message, Recipe)
        '`segment.epochs` must be a whole number; got three'
    """
    found = re.search(r'Parser key "([\w.]+)"', message)
    values = re.findall(r"^.*?(?:Got value|Given value): (.*)$", message, re.MULTILINE)
    if not found or not values:
        return message
    kind: Any = recipe
    for part in found[1].split("."):
        kind = typing.get_type_hints(kind).get(part) if dataclasses.is_dataclass(kind) else None
    if kind is None:
        return message
    choices = [
        c for k in _alternatives(kind) if typing.get_origin(k) is typing.Literal for c in typing.get_args(k)
    ]
    hint = f"; {nearest(values[-1], choices)}" if len(choices) > 1 else ""
    return f"`{found[1]}` must be {describe(kind)}; got {values[-1]}{hint}"


def describe(kind: Any) -> str:
    """Say in words what a type stands for.

    Example:
        >>> describe(tuple[float, ...]), describe(tuple[int, int]), describe(str | None)
        ('a list such as [1.0, 2.0]', 'a list of 2 values', 'text or null')
    """
    origin, inside = typing.get_origin(kind), typing.get_args(kind)
    if origin is typing.Literal:
        return f"one of {', '.join(map(str, inside))}" if len(inside) > 1 else str(inside[0])
    if origin is tuple and inside[-1] is not Ellipsis:
        return f"a list of {len(inside)} values"
    if origin is tuple:
        return "a list such as [1.0, 2.0]" if inside[0] is float else "a list such as [cat, dog]"
    if origin in (typing.Union, types.UnionType):
        return " or ".join(describe(one) for one in inside)
    return NAMES.get(kind, "a section of options")


def _alternatives(kind: Any) -> tuple[Any, ...]:
    return typing.get_args(kind) if typing.get_origin(kind) in (typing.Union, types.UnionType) else (kind,)


def check_values(recipe: "Recipe") -> None:
    """Fail on option values of the right type that cannot work.

    Raises:
        InputError: The message names the option, what was expected and what to try.
    """
    require("name", recipe.name, lambda name: name.strip(), "a name: the run folder's too")
    require("seed", recipe.seed, lambda seed: 0 <= seed < 2**31, "in [0, 2^31)")
    for name in ("classify", "segment", "detect"):
        _check_training(name, getattr(recipe, name))
    require("segment.channels", recipe.segment.channels, lambda n: n is None or n >= 1, "at least 1; try 256")
    weight = recipe.segment.auxiliary_weight
    require("segment.auxiliary_weight", weight, lambda x: 0 <= x < 1e3, "0 or more; try 0.4")
    require(
        "segment.max_side",
        recipe.segment.max_side,
        lambda n: n is None or n >= 32,
        "at least 32, or null for no limit; try 1536",
    )
    teacher = recipe.segment.teacher
    require(
        "segment.teacher.weight", teacher.weight, lambda x: 0 <= x < 1e3, "0 for no teacher, or more; try 1"
    )
    for option, wanted in (("momentum", "try 0.99"), ("confidence", "try 0.8"), ("warm_up", "try 0.25")):
        value = getattr(teacher, option)
        require(f"segment.teacher.{option}", value, lambda x: 0 <= x < 1, f"in [0, 1); {wanted}")
    if recipe.relabel.epochs is not None:
        require(
            "relabel.epochs", recipe.relabel.epochs, lambda n: n >= 1, "1 or more; null: `segment.epochs`"
        )
    require("relabel.rounds", recipe.relabel.rounds, lambda n: n >= 0, "0 for none, or more; try 1")
    require(
        "relabel.confidence", recipe.relabel.confidence, lambda x: 0 <= x < 1, "in [0, 1); 0 for all pixels"
    )
    for name in ("localize", "relabel", "segment"):
        require(
            f"{name}.scales",
            getattr(recipe, name).scales,
            lambda scales: scales and all(0 < scale <= 16 for scale in scales),
            "positive, and at most 16; try [0.5, 1.0, 1.5]",
        )
    require(
        "localize.absent", recipe.localize.absent, lambda x: 0 <= x <= 1, "in [0, 1]; 0 for none; try 0.5"
    )
    require("classify.erase", recipe.classify.erase, lambda x: 0 <= x < 1, "in [0, 1); 0 for none; try 0.5")
    for option in ("map_stride", "batch_size"):
        require(f"localize.{option}", getattr(recipe.localize, option), lambda n: n >= 1, "at least 1")
    for name, crf in (
        ("label.crf", recipe.label.crf),
        ("propagate.crf", recipe.propagate.crf),
        ("relabel.crf", recipe.relabel.crf),
        ("segment.crf", recipe.segment.crf),
    ):
        require(
            f"{name}.iterations", crf.iterations, lambda n: n >= 1, "at least 1; `preset: none` is no CRF"
        )
        for parameter, value in crf.parameters.items():
            if parameter not in PRESETS["irn"]:
                raise InputError(
                    f"`{name}.parameters`: no `{parameter}`; {nearest(parameter, PRESETS['irn'])}"
                )
            least = "0 or more" if "weight" in parameter else "positive"
            require(
                f"{name}.parameters.{parameter}",
                value,
                lambda x, p=parameter: x > 0 or (x == 0 and "weight" in p),
                least,
            )
    require(
        "label.workers", recipe.label.workers, lambda n: n != 0, "a number of processes, or -1 for one a core"
    )
    require("report.images", recipe.report.images, lambda n: n >= 0, "0 or more")
    require(
        "evaluate.levels",
        recipe.evaluate.levels,
        lambda levels: all(0 <= x <= 1 for x in levels),
        "in [0, 1]",
    )
    _check_supervision(recipe)
    _check_level(recipe)


def _check_supervision(recipe: "Recipe") -> None:
    config = recipe.supervision
    for option, holds, wanted in (
        ("width", lambda n: n >= 1, "at least 1 pixel; try 3"),
        ("loosened", lambda x: 0 <= x <= 10, "0 or more; try 0.1"),
        ("masks_share", lambda x: 0 <= x <= 1, "in [0, 1]; try 0.1"),
        ("masks_repeat", lambda n: n >= 1, "1 for as often as others, or more"),
        ("label_noise", lambda x: 0 <= x < 1, "in [0, 1); 0 for none; try 0.2"),
        ("clean_folds", lambda n: n >= 2, "at least 2; try 3"),
    ):
        require(f"supervision.{option}", getattr(config, option), holds, wanted)


def _check_training(name: str, stage: "SegmentConfig") -> None:
    for option in ("epochs", "batch_size"):
        require(f"{name}.{option}", getattr(stage, option), lambda n: n >= 1, "at least 1")
    require(f"{name}.crop", stage.crop, lambda n: n >= 32, "at least 32, the backbones' stride; try 320")
    require(f"{name}.learning_rate", stage.learning_rate, lambda x: 0 < x < 1e3, "positive; try 0.01")
    require(f"{name}.head_multiplier", stage.head_multiplier, lambda x: 0 < x < 1e6, "positive; try 10")
    require(f"{name}.weight_decay", stage.weight_decay, lambda x: 0 <= x < 1e3, "0 or more; try 1e-4")
    require(f"{name}.jitter", stage.jitter, lambda x: 0 <= x <= 1, "in [0, 1]; try 0.3")
    if name != "detect":
        strides = (8, 16, 32) if name == "classify" else (8, 16, 32, None)
        require(f"{name}.output_stride", stage.output_stride, lambda n: n in strides, "8, 16 or 32")
    require(
        f"{name}.long_side",
        list(stage.long_side),
        lambda ends: 16 <= ends[0] <= ends[1],
        "a rising range from 16 up",
    )


def _check_level(recipe: "Recipe") -> None:
    label, threshold = recipe.label, recipe.label.threshold
    stride = recipe.localize.output_stride
    require("localize.output_stride", stride, lambda n: n in (None, 8, 16, 32), "8, 16 or 32, or null")
    if threshold.rule == "calibration":
        if threshold.split in (None, recipe.dataset.train):
            raise InputError(
                "`label.threshold.split` must name a split with masks other than the training split "
                f"`{recipe.dataset.train}`, whose masks a weakly supervised run never reads; "
                f"got {threshold.split!r}"
            )
        require("label.threshold.images", threshold.images, lambda n: n >= 1, "at least 1; try 100")
        require("label.threshold.levels", threshold.levels, len, "one level or more")
    search = label.crf_search
    if search.rounds:
        require("label.crf_search.rounds", search.rounds, lambda n: n > 0, "0 for no search, or more; try 2")
        if threshold.rule != "calibration" or label.crf.preset == "none":
            raise InputError(
                "`label.crf_search` needs images with masks to score on, and a CRF: set `label.threshold.rule: "
                "calibration` with a `split`, and a `label.crf.preset` other than none"
            )
        for name in ("bilateral_weight", "bilateral_sxy", "bilateral_srgb"):
            require(
                f"label.crf_search.{name}",
                getattr(search, name),
                lambda row: row and all(a < b for a, b in itertools.pairwise((0, *row))),
                "one positive value or several rising ones",
            )
    if label.background == "power" and threshold.rule == "otsu":
        raise InputError(
            "`label.threshold.rule: otsu` gives a constant level; use `label.background: constant`"
        )
    constant = label.background == "constant"
    if constant:
        wanted, holds = "in (0, 1); try 0.25", lambda level: 0 < level < 1
        require("label.unsure", label.unsure, lambda x: 0 <= x < 1, "in [0, 1); 0 for none; try 0.1")
    else:
        # Below 1 the background wins nearly everywhere: surely a constant background's level left standing.
        wanted, holds = (
            "an exponent from 1 up, as `label.background` is power; try 4 to 32",
            lambda level: level >= 1,
        )
        require("label.unsure", label.unsure, lambda x: 0 <= x < 1e3, "0 or more; 0 for none")
    used = {"evaluate.oracle_levels": recipe.evaluate.oracle_levels}
    if threshold.rule == "fixed":
        used["label.threshold.level"] = (threshold.level,)
    elif threshold.rule == "calibration":
        used["label.threshold.levels"] = threshold.levels
    for option, levels in used.items():
        for level in levels:
            require(option, level, holds, wanted)
