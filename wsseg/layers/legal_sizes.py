"""The image sizes that a network accepts: all, or those at which its skip connections fit."""

from dataclasses import dataclass

from wsseg.errors import InputError


@dataclass(frozen=True)
class LegalSizes:
    """Sides `n >= smallest` with `n % multiple == remainder`.

    Attributes:
        multiple: Pixels from one legal side to the next.
        remainder: Remainder of a legal side divided by `multiple`.
        smallest: The smallest legal side.

    Example:
        >>> LegalSizes(16, 12, 188).above(570)  # U-Net without padding
        572
    """

    multiple: int = 1
    remainder: int = 0
    smallest: int = 1

    def above(self, side: int) -> int:
        """Return the smallest legal side that is at least `side`."""
        side = max(side, self.smallest)
        return side + (self.remainder - side) % self.multiple

    def below(self, side: int) -> int | None:
        """Return the largest legal side that is at most `side`, or None if there is none."""
        side -= (side - self.remainder) % self.multiple
        return side if side >= self.smallest else None

    def __contains__(self, side: int) -> bool:
        return side >= self.smallest and side % self.multiple == self.remainder

    def __str__(self) -> str:
        if self.multiple == 1:
            return f"from {self.smallest}"
        rest = (
            f"{self.remainder} modulo {self.multiple}" if self.remainder else f"multiples of {self.multiple}"
        )
        return f"{rest}, from {self.above(self.smallest)}"

    def check(self, size_hw: tuple[int | None, int | None], network: str) -> None:
        """Fail on a height or width that the network cannot take; None stands for any size and passes.

        Raises:
            InputError: A side is not legal; the message names the nearest legal sizes.
        """
        if all(side is None or side in self for side in size_hw):
            return
        size = " x ".join("any" if side is None else str(side) for side in size_hw)
        ends = [self.below, self.above]
        tries = ["(" + ", ".join(str(side and end(side)) for side in size_hw) + ")" for end in ends]
        tries = [text for text in dict.fromkeys(tries) if "None" not in text or None in size_hw]
        raise InputError(
            f"`{network}` can't take images of {size} pixels: its sides must be {self}; "
            f"try {' or '.join(tries)}"
        )


BACKBONE_SIZES = LegalSizes(smallest=32)
"""Legal sizes of networks on the backbones of `wsseg.backbones`: smaller images would shrink to nothing."""
