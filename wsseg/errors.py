"""The error that tells a user which of their inputs is wrong, and what to try; and the checks that raise it."""

import difflib
from collections.abc import Callable, Iterable
from typing import Any


class InputError(ValueError):
    """A file, option or array given by the user cannot be used.

    The message names the file or option, says what was expected and what to try. The command line
    prints it without a traceback and exits with status 2.
    """


def nearest(name: str, options: Iterable[str]) -> str:
    """Return a hint naming the option closest to `name`, or listing all of them.

    Args:
        name: What the user wrote.
        options: The names that exist.

    Returns:
        A clause for an error message.

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
    """Fail unless a value is one that an option can have.

    Args:
        option: Name of the option.
        value: What the user gave.
        holds: Whether a value can be used. One that it cannot take, such as text for a number, cannot.
        wanted: What was expected, for the message; with what to try.

    Raises:
        InputError: `holds(value)` is false or fails.

    Example:
        >>> require("rate", 2, lambda rate: 0 <= rate < 1, "in [0, 1); try 0.5")
        Traceback (most recent call last):
        wsseg.errors.InputError: `rate` must be in [0, 1); try 0.5; got 2
    """
    try:
        fits = bool(holds(value))
    except (TypeError, IndexError, ValueError):  # not of the type that can be compared
        fits = False
    if not fits:
        raise InputError(f"`{option}` must be {wanted}; got {value!r}")
