"""Types of options in words, and the messages about values of another type or range."""

import dataclasses
import re
import types
import typing
from typing import Any

from wsseg.errors import nearest

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
        '`segment.epochs` must be a whole number or auto; got three'
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
