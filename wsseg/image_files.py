"""Read image files of any kind as RGB, and find the images that cannot be used. NumPy and Pillow only."""

import os
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Protocol

import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError

from wsseg.errors import InputError

IMAGE_EXTENSIONS = frozenset({
    ".avif", ".bmp", ".gif", ".jfif", ".jp2", ".jpe", ".jpeg", ".jpg", ".pgm", ".png", ".pnm", ".ppm", ".tif",
    ".tiff", ".webp",
})  # fmt: skip
"""Extensions of the files that are taken for images where a folder is searched, in lower case."""

_ORIENTATION = 0x0112
_TRANSPOSING = (5, 6, 7, 8)
"""EXIF orientations that swap width and height (CIPA DC-008, tag 274)."""


class HasImage(Protocol):
    """Anything with an id and an image file, such as `wsseg.datasets.Record`."""

    @property
    def id(self) -> str: ...  # noqa: D102
    @property
    def image(self) -> Path: ...  # noqa: D102


def read_image(path: str | Path) -> np.ndarray:
    """Read an image file as RGB, upright.

    Gray, palette and CMYK images become RGB. 16-bit gray is scaled by 1/257, so that 65535 becomes 255. Transparent
    pixels are composited on white. The EXIF orientation is applied. The first frame of an animation is read.

    Args:
        path: Image file of any format that Pillow reads.

    Returns:
        `(H, W, 3) uint8` RGB.

    Raises:
        InputError: The file is missing, empty, broken, truncated or not an image; the message names the file and the
            reason.
    """
    path = Path(path)
    try:
        with _open(path) as image:
            image.load()
            upright = ImageOps.exif_transpose(image)
        return np.asarray(_as_rgb(upright), np.uint8)
    except InputError:
        raise
    except Exception as error:  # Pillow's decoders raise OSError, SyntaxError, ValueError, struct.error ...
        raise _unreadable(path, error) from error


def image_size_hw(path: str | Path) -> tuple[int, int]:
    """Return the height and width that `read_image` gives, from the file's header alone.

    Raises:
        InputError: The header cannot be read; the message names the file.
    """
    path = Path(path)
    try:
        with _open(path) as image:
            width, height = image.size
            turned = image.getexif().get(_ORIENTATION) in _TRANSPOSING
    except InputError:
        raise
    except Exception as error:
        raise _unreadable(path, error) from error
    return (width, height) if turned else (height, width)


def check_image(path: str | Path, minimum_side: int = 16) -> None:
    """Read the whole image and raise an error if a network cannot use it.

    Args:
        path: Image file.
        minimum_side: Shortest allowed side, pixels.

    Raises:
        InputError: The file cannot be read, or a side is shorter than `minimum_side`.
    """
    height, width = read_image(path).shape[:2]
    if min(height, width) < minimum_side:
        raise InputError(
            f"image {path} is {width} x {height} pixels (width x height); both sides must have at least "
            f"{minimum_side}"
        )


def check_images(
    records: Iterable[HasImage],
    workers: int | None = None,
    minimum_side: int = 16,
    progress: Callable[[HasImage], None] | None = None,
) -> tuple[list[HasImage], dict[str, str]]:
    """Read every image once, and separate the usable images from the others.

    Args:
        records: Objects with an `id` and an `image` path.
        workers: Number of threads (decoding releases the interpreter's lock); None for one per core.
        minimum_side: See `check_image`.
        progress: Function that is called with each record after its check, in order, in the calling thread.

    Returns:
        Records whose image can be used, in their order, and `id -> reason` for the others.
    """

    def reason(record: HasImage) -> str | None:
        try:
            check_image(record.image, minimum_side)
        except InputError as error:
            return str(error)
        return None

    records = list(records)
    kept: list[HasImage] = []
    set_aside: dict[str, str] = {}
    with ThreadPoolExecutor(workers or os.cpu_count() or 1) as pool:
        for record, why in zip(records, pool.map(reason, records), strict=True):
            if why is None:
                kept.append(record)
            else:
                set_aside[record.id] = why
            if progress is not None:
                progress(record)
    return kept, set_aside


def _open(path: Path) -> Image.Image:
    if path.is_dir():
        raise InputError(f"image {path} is a folder; expected an image file")
    try:
        if path.stat().st_size == 0:
            raise InputError(f"image {path} is empty (0 bytes); copy it again or remove it")
        return Image.open(path)
    except FileNotFoundError:
        raise InputError(f"image {path} does not exist") from None
    except UnidentifiedImageError:
        raise InputError(
            f"{path} is not an image, or has a format that Pillow cannot read; convert it to JPEG or PNG"
        ) from None


def _unreadable(path: Path, error: Exception) -> InputError:
    return InputError(
        f"image {path} cannot be read ({error}); it is broken or truncated: copy it again or remove it"
    )


def _as_rgb(image: Image.Image) -> Image.Image:
    if image.mode == "F" or image.mode.startswith("I"):
        return Image.fromarray(_eight_bits(image)).convert("RGB")
    if image.mode in ("RGBA", "LA", "PA", "La", "RGBa") or "transparency" in image.info:
        opaque = image.convert("RGBA")
        white = Image.new("RGBA", opaque.size, "white")
        return Image.alpha_composite(white, opaque).convert("RGB")
    return image.convert("RGB")


def _eight_bits(image: Image.Image) -> np.ndarray:
    """Scale a deep gray image to 8 bits. Integers are 16-bit values (PNG, TIFF); floats are in [0, 1] or 0..255."""
    values = np.asarray(image, np.float64)
    if image.mode == "F":
        values = values * 255 if values.size and values.max() <= 1 else values
    else:
        values = values / 257
    return np.clip(np.rint(values), 0, 255).astype(np.uint8)
