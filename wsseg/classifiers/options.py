"""Checks for the options of classifiers' heads."""

from typing import Any

from wsseg.errors import InputError


def require_share(option: str, value: Any, hint: float, zero: bool = False) -> None:
    """Fail unless an option is a number in (0, 1), or in [0, 1).

    Args:
        option: Name of the option.
        value: Value of the option.
        hint: Value to try, for the message.
        zero: Whether 0 is allowed.

    Raises:
        InputError: The value is outside this range or not a number.
    """
    number = isinstance(value, int | float) and not isinstance(value, bool)
    if not number or not (0 <= value < 1 if zero else 0 < value < 1):
        interval = "[0, 1)" if zero else "(0, 1)"
        raise InputError(f"`{option}` must be a number in {interval}; got {value!r}; try {hint}")
