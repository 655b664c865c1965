"""The types of a dataset's options, as the function that reads it declares them."""

import types
import typing
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from wsseg.errors import InputError

_WORDS = {
    str: "text",
    bool: "true or false",
    int: "a whole number",
    float: "a number",
    Path: "a path",
    type(None): "null",
    Mapping: "pairs, such as {a: b}",
    Sequence: "a list of texts",
}


def check_types(owner: str, reader: Callable[..., Any], options: Mapping[str, Any]) -> None:
    """Raise an error if an option has another type than the reader declares; `"false"` is no truth value.

    Args:
        owner: Owner of the options, for the message: "dataset `folder`".
        reader: Function with the options as annotated parameters.
        options: Option -> value.

    Raises:
        InputError: The message names the option and what was expected.

    Example:
        >>> def read(share: float = 0.2, masks: bool = False, names: str | Sequence[str] = ()): ...
        >>> check_types("dataset `a`", read, {"share": 1, "masks": True, "names": ["x"]})
        >>> check_types("dataset `a`", read, {"masks": "false"})
        Traceback (most recent call last):
        wsseg.errors.InputError: `masks` of dataset `a` must be true or false; got 'false'
    """
    hints = typing.get_type_hints(reader)
    for option, value in options.items():
        hint = hints.get(option, Any)
        kinds = typing.get_args(hint) if isinstance(hint, types.UnionType) else (hint,)
        if not any(_fits(value, kind) for kind in kinds):
            wanted = " or ".join(dict.fromkeys(_WORDS.get(_plain(kind), str(kind)) for kind in kinds))
            raise InputError(f"`{option}` of {owner} must be {wanted}; got {repr(value)[:60]}")


def _plain(kind: Any) -> Any:
    """Return the class of a hint, such as `Mapping` of `Mapping[str, str]`."""
    origin = typing.get_origin(kind) or kind
    return Sequence if origin in (list, tuple, Sequence) else origin


def _fits(value: Any, kind: Any) -> bool:
    plain = _plain(kind)
    if plain is Any or plain not in _WORDS:
        return True
    if plain is bool:
        return isinstance(value, bool)
    if plain in (int, float):
        return isinstance(value, (int, float) if plain is float else int) and not isinstance(value, bool)
    if plain is Path:
        return isinstance(value, str | Path)
    if plain is Sequence:
        return isinstance(value, list | tuple) and all(isinstance(one, str) for one in value)
    return isinstance(value, plain)
