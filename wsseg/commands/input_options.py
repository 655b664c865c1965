"""Options of a classifier and its input, for `wsseg explain` and `wsseg evaluate-maps`. It imports nothing heavy."""

import argparse
import math
from fractions import Fraction

PREPROCESS = (
    "preprocessing of a model that has none inside: none, unit (to [0, 1]), tf (to [-1, 1]), torch or caffe "
    "(ImageNet's means), or a keras.applications family or network, such as densenet or ResNet50V2; without it, a "
    "warning says if the model seems to need one"
)


def add_arguments(command: argparse.ArgumentParser, pictures: bool = True) -> None:
    """Add the options to a command.

    Args:
        command: The command.
        pictures: Whether it makes pictures of the images.
    """
    command.add_argument(
        "--mean", type=numbers, help="means to subtract, one or one per channel: 0.485,0.456,0.406"
    )
    command.add_argument("--std", type=numbers, help="deviations to divide by, one or one per channel")
    command.add_argument(
        "--scale",
        type=factor,
        help="number that stored values are multiplied by, before --preprocess or --mean: 1/255, 1/4095; default: "
        "pictures become [0, 255] (gray PNG or TIFF of 16 bits by the bits that they use), arrays stay as they are",
    )
    if pictures:
        command.add_argument(
            "--bands",
            type=channel_numbers,
            help="three channels, counted from 0, that pictures show as red, green and blue: 3,2,1; default: 0,1,2",
        )
    command.add_argument(
        "--custom-objects",
        action="append",
        metavar="MODULE:CLASS",
        help="class or function that the model file needs, found in the working folder or installed; may be repeated",
    )


def numbers(text: str) -> tuple[float, ...]:
    """Read numbers such as 0.485,0.456,0.406."""
    try:
        found = tuple(float(Fraction(part)) if "/" in part else float(part) for part in text.split(","))
    except (ArithmeticError, ValueError):  # a denominator of 0, or a number beyond float
        found = (math.nan,)
    if not all(map(math.isfinite, found)):
        raise argparse.ArgumentTypeError(f"expected numbers such as 0.485,0.456,0.406; got {text!r}")
    return found


def factor(text: str) -> float:
    """Read a positive number or a fraction such as 1/255."""
    try:
        (found,) = numbers(text)
    except (ValueError, argparse.ArgumentTypeError):
        found = 0.0
    if found <= 0:
        raise argparse.ArgumentTypeError(f"expected a positive number such as 1/255; got {text!r}")
    return found


def channel_numbers(text: str) -> tuple[int, ...]:
    """Read whole numbers such as 3,2,1."""
    try:
        return tuple(int(part) for part in text.split(","))
    except ValueError:
        raise argparse.ArgumentTypeError(f"expected three channels such as 3,2,1; got {text!r}") from None


def input_side(text: str) -> int | tuple[int, int]:
    """Read an input size: a long side such as 512, or height and width such as 512x384."""
    try:
        found = tuple(int(part) for part in text.lower().split("x"))
    except ValueError:
        found = ()
    if len(found) not in (1, 2) or min(found) < 1:
        raise argparse.ArgumentTypeError(
            f"expected pixels such as 512, or height x width such as 512x384; got {text!r}"
        )
    return found if len(found) == 2 else found[0]
