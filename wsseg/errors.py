"""The error that names a wrong input and says what to try, and the checks that raise it."""

import difflib
from collections.abc import Callable, Iterable
from typing import Any


class InputError(ValueError):
    """A file, option or array given by the user cannot be used.

    The message names the file or option, and says what was expected and what to try. The command line prints the
    message without a traceback and exits with status 2.
    """


def nearest(name: str, options: Iterable[str]) -> str:
    """Return a hint that names the option closest to `name`, or lists all options if none is close.

    Args:
        name: Name that the user wrote.
        options: Names that exist.

    Returns:
        Clause for an error message.

    Example:
        >>> nearest("scale", ["scales", "flip"])
        'did you mean `scales`?'
        >>> nearest("xyz", ["scales", "flip"])
        'choose one of: flip, scales'
    """
    options = sorted(options)
    close = difflib.get_close_matches(name, options, n=1, cutoff=0.6)
    return f"did you mean `{close[0]}`?" if close else f"choose one of: {', '.join(options)}"


def require(option: str, value: Any, holds: Callable[[Any], bool], wanted: str) -> None:
    """Raise an error if an option cannot have a value.

    Args:
        option: Name of the option.
        value: Value that the user gave.
        holds: Function that returns whether a value can be used. If it fails, as it may for text instead of a number,
            the value cannot be used.
        wanted: Description of the expected values and of what to try, for the message.

    Raises:
        InputError: `holds(value)` is false or fails.

    Example:
        >>> require("rate", 2, lambda rate: 0 <= rate < 1, "in [0, 1); try 0.5")
        Traceback (most recent call last):
        wsseg.errors.InputError: `rate` must be in [0, 1); try 0.5; got 2
    """
    try:
        fits = bool(holds(value))
    except (TypeError, IndexError, ValueError):  # a type that cannot be compared
        fits = False
    if not fits:
        raise InputError(f"`{option}` must be {wanted}; got {value!r}")
