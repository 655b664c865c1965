"""The error that names a wrong input and says what to try, and the checks that raise it."""

import difflib
import math
import numbers
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


def is_whole(value: Any, least: float = -math.inf) -> bool:
    """Tell whether a value is a whole number, Python's or NumPy's, not below `least`; True and 2.0 are none.

    Example:
        >>> is_whole(2, 1), is_whole(0, 1), is_whole(2.0, 1), is_whole(True, 1)
        (True, False, False, False)
    """
    return isinstance(value, numbers.Integral) and not isinstance(value, bool) and value >= least


def require_whole(option: str, value: Any, least: int = 1, hint: str = "") -> int:
    """Fail unless an option is a whole number that is large enough.

    Args:
        option: Name of the option.
        value: What the user gave.
        least: The smallest number allowed.
        hint: What to try, for the message: "try 100".

    Returns:
        The number as Python's int.

    Raises:
        InputError: It is none, or below `least`.

    Example:
        >>> require_whole("steps", 0, hint="try 100")
        Traceback (most recent call last):
        wsseg.errors.InputError: `steps` must be a whole number from 1; got 0; try 100
    """
    if not is_whole(value, least):
        raise InputError(
            f"`{option}` must be a whole number from {least}; got {value!r}{'; ' if hint else ''}{hint}"
        )
    return int(value)
