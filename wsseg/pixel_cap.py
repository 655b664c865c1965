"""What an image may take of the memory: a cap on its pixels, and a share of what is free while it is decoded.

A file of few bytes can hold many pixels: a PNG of 0.6 MB has taken 3.9 GB.
"""

import contextlib
import os
from pathlib import Path

from PIL import Image

from wsseg.errors import InputError
from wsseg.memory import Budget

MEGAPIXELS = 89
"""Cap on the pixels of an image, in millions, unless the environment variable `WSSEG_MEGAPIXELS` names another. It is
Pillow's: beyond it, Pillow warns of decompression bombs."""

SMALL = 4_000_000
"""Pixels up to which an image is decoded at once, without asking for memory."""

_DECODING = Budget()


def most_pixels() -> int:
    """Return the cap on the pixels of an image: `MEGAPIXELS` millions, or what `WSSEG_MEGAPIXELS` says.

    A larger value than Pillow's own cap also raises that one, for this process.

    Raises:
        InputError: The variable is not a number above 0.
    """
    text = os.environ.get("WSSEG_MEGAPIXELS", "")
    if not text:
        return MEGAPIXELS * 1_000_000
    try:
        most = int(float(text) * 1_000_000)
    except (ValueError, OverflowError):
        most = 0
    if most < 1:
        raise InputError(
            f"the environment variable WSSEG_MEGAPIXELS is {text!r}; expected a number of millions of pixels above 0, "
            f"such as {MEGAPIXELS}"
        )
    if Image.MAX_IMAGE_PIXELS is not None and most > Image.MAX_IMAGE_PIXELS:
        Image.MAX_IMAGE_PIXELS = most
    return most


def check_pixels(size: tuple[int, int], path: Path) -> None:
    """Raise an error if an image has more pixels than the cap (`most_pixels`), before it takes memory.

    Args:
        size: Its width and height.
        path: Its file, for the message.

    Raises:
        InputError: The message names the file, its size and how to raise the cap.
    """
    if size[0] * size[1] > most_pixels():
        raise too_large(path, f"{size[0]} x {size[1]} pixels (width x height)")


def too_large(path: Path, size: str) -> InputError:
    """Return the error for a file with too many pixels."""
    return InputError(
        f"image {path} has {size}, more than the cap of {most_pixels() / 1e6:g} million, which keeps it from filling "
        "the memory; make it smaller, or raise the cap: set the environment variable WSSEG_MEGAPIXELS to a larger "
        "number of millions"
    )


def memory_for(image: Image.Image) -> contextlib.AbstractContextManager[None]:
    """Wait, in threads, until the memory for decoding an open image is free; hold it for the block."""
    pixels = image.size[0] * image.size[1]
    return _DECODING.part(pixels * _bytes_per_pixel(image)) if pixels > SMALL else contextlib.nullcontext()


def _bytes_per_pixel(image: Image.Image) -> int:
    """Return more bytes than `read_image` takes at its peak; measured are 14 for RGB, 24 for RGBA, 29 for 16 bits."""
    if image.mode == "F" or image.mode.startswith("I"):
        return 48
    return 32 if "A" in image.mode or "transparency" in image.info else 16
