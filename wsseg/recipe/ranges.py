"""Ranges of options: which values an option takes beyond its type, in words and as a check.

A range stands with its option: `epochs: Annotated[int, at_least(1)] = 8`.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from wsseg.errors import require


@dataclass(frozen=True)
class Range:
    """Values that an option takes.

    Attributes:
        words: What a value must be, as it stands after "must be" in the error and in `wsseg options`.
        holds: Tells whether a value is in the range; not asked about None, which is the type's concern.
        hint: What to try, or what a special value means; for the error.
    """

    words: str
    holds: Callable[[Any], bool]
    hint: str = ""

    def check(self, option: str, value: Any) -> None:
        """Fail unless a value is in the range.

        Raises:
            InputError: The message names the option, what was expected and what to try.

        Example:
            >>> at_least(1).check("segment.epochs", 0)
            Traceback (most recent call last):
            wsseg.errors.InputError: `segment.epochs` must be at least 1; got 0
        """
        if value is not None:
            given = list(value) if isinstance(value, tuple) else value  # as YAML has it
            require(option, given, self.holds, f"{self.words}; {self.hint}" if self.hint else self.words)


def at_least(low: float, hint: str = "") -> Range:
    """Return the range from `low` up."""
    return Range(f"at least {low}", lambda x: x >= low, hint)


def positive(hint: str = "", below: float = 1e3) -> Range:
    """Return the range of positive numbers; `below` catches slips such as a learning rate of 1e4, and infinity."""
    return Range("positive", lambda x: 0 < x < below, hint)


def from_zero(hint: str = "", below: float = float("inf")) -> Range:
    """Return the range of 0 and positive numbers."""
    return Range("0 or more", lambda x: 0 <= x < below, hint)


def interval(text: str, hint: str = "") -> Range:
    """Return an interval as it is written: brackets for ends that belong to it, parentheses for those that do not.

    Example:
        >>> half_open = interval("[0, 1)")
        >>> half_open.words, half_open.holds(0), half_open.holds(1)
        ('in [0, 1)', True, False)
    """
    low, high = (float(end) for end in text[1:-1].split(","))
    with_low, with_high = text[0] == "[", text[-1] == "]"

    def holds(x: float) -> bool:
        return (low <= x if with_low else low < x) and (x <= high if with_high else x < high)

    return Range(f"in {text}", holds, hint)


def one_of(*values: int) -> Range:
    """Return the range of these values alone.

    Example:
        >>> one_of(8, 16, 32).words
        '8, 16 or 32'
    """
    first = ", ".join(map(str, values[:-1]))
    return Range(f"{first} or {values[-1]}", lambda x: x in values)


def multiple_of(step: int, hint: str = "") -> Range:
    """Return the range of positive multiples of `step`."""
    return Range(f"a multiple of {step}", lambda x: x >= step and x % step == 0, hint)


def each(item: Range) -> Range:
    """Return the range of lists whose every value is in `item`."""
    return Range(item.words, lambda values: all(item.holds(x) for x in values), item.hint)


def increasing(low: int) -> Range:
    """Return the range of pairs `[from, to]` that start at `low` or above and do not fall."""
    return Range(f"a rising range from {low} up", lambda ends: low <= ends[0] <= ends[1])


STRIDE = one_of(8, 16, 32)
"""Output strides that backbones have."""

SCALES = Range(
    "positive, and at most 16",
    lambda scales: len(scales) > 0 and all(0 < scale <= 16 for scale in scales),
    "try [0.5, 1.0, 1.5]",
)
"""Image scales: one or more."""
