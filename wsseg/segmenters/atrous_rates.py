"""The atrous rates of a pyramid: as published for an output stride, or as the user has them."""

from collections.abc import Sequence

from wsseg.errors import InputError, is_whole
from wsseg.layers.aspp import RATES


def checked_rates(rates: Sequence[int]) -> tuple[int, ...]:
    """Return the rates as a tuple (a recipe has a list), or fail on what are none.

    Raises:
        InputError: No rates, or such as aren't positive integers.

    Example:
        >>> checked_rates([2, 4])
        (2, 4)
    """
    if not isinstance(rates, Sequence) or not rates or not all(is_whole(r, 1) for r in rates):
        raise InputError(f"`rates` must be positive integers, one a branch; got {rates!r}; try (6, 12, 18)")
    return tuple(rates)


def pyramid_rates(rates: Sequence[int] | None, output_stride: int) -> tuple[int, ...]:
    """Return the rates of the 3x3 branches of a pyramid of DeepLab v3 or v3+.

    Args:
        rates: As given by the user; None for the published ones.
        output_stride: 32, 16 or 8.

    Raises:
        InputError: Rates that aren't positive integers.

    Example:
        >>> pyramid_rates(None, 8)
        (12, 24, 36)
    """
    return RATES[output_stride] if rates is None else checked_rates(rates)
