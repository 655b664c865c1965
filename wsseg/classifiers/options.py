"""Checks of the options that classifiers' heads have."""

from typing import Any

from wsseg.errors import InputError


def require_share(option: str, value: Any, hint: float, zero: bool = False) -> None:
    """Fail unless an option is a number between 0 and 1, 1 not included.

    Args:
        option: Its name.
        value: Its value.
        hint: What to try.
        zero: Whether 0 is allowed.

    Raises:
        InputError: It is not.
    """
    number = isinstance(value, int | float) and not isinstance(value, bool)
    if not number or not (0 <= value < 1 if zero else 0 < value < 1):
        interval = "[0, 1)" if zero else "(0, 1)"
        raise InputError(f"`{option}` must be a number in {interval}; got {value!r}; try {hint}")
