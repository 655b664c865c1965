"""The atrous rates of a pyramid: the published rates for an output stride, or the user's."""

from collections.abc import Sequence

from wsseg.errors import InputError, is_whole
from wsseg.layers.aspp import RATES


def checked_rates(rates: Sequence[int]) -> tuple[int, ...]:
    """Return the rates as a tuple (recipes have lists), after checking them.

    Raises:
        InputError: There are no rates, or a rate is not a positive integer.

    Example:
        >>> checked_rates([2, 4])
        (2, 4)
    """
    if not isinstance(rates, Sequence) or not rates or not all(is_whole(r, 1) for r in rates):
        raise InputError(f"`rates` must be positive integers, one per branch; got {rates!r}; try (6, 12, 18)")
    return tuple(rates)


def pyramid_rates(rates: Sequence[int] | None, output_stride: int) -> tuple[int, ...]:
    """Return the rates of the 3x3 branches of a pyramid of DeepLab v3 or v3+.

    Args:
        rates: Rates given by the user; None for the published rates.
        output_stride: Output stride of the encoder: 32, 16 or 8.

    Raises:
        InputError: A rate is not a positive integer.

    Example:
        >>> pyramid_rates(None, 8)
        (12, 24, 36)
    """
    return RATES[output_stride] if rates is None else checked_rates(rates)
