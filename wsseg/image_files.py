"""Read image files of any kind as RGB, and find the images that cannot be used. NumPy and Pillow only."""

import io
import os
import re
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Protocol

import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError
from PIL.TiffImagePlugin import TiffImageFile

from wsseg.errors import InputError
from wsseg.pixel_cap import check_pixels, memory_for, most_pixels, too_large

IMAGE_EXTENSIONS = frozenset({
    ".avif", ".bmp", ".gif", ".jfif", ".jp2", ".jpe", ".jpeg", ".jpg", ".pgm", ".png", ".pnm", ".ppm", ".tif",
    ".tiff", ".webp",
})  # fmt: skip
"""Extensions of the files that are taken for images where a folder is searched, in lower case."""

FORMATS = frozenset({
    "AVIF", "BMP", "DIB", "GIF", "JPEG", "JPEG2000", "MPO", "PNG", "PPM", "TIFF", "WEBP",
})  # fmt: skip
"""Pillow's names of the formats that are read. Others may start programs: EPS runs Ghostscript."""

ORIENTATION = 0x0112
"""EXIF's tag of the orientation."""
TRANSPOSING = (5, 6, 7, 8)
"""EXIF orientations that swap width and height (CIPA DC-008, tag 274)."""

_TIFF_WIDTH, _TIFF_HEIGHT = 256, 257
"""Tags ImageWidth and ImageLength of TIFF 6.0."""

DARKEST = 16
"""Brightest value, of 255, of an image of 16 bits that is taken for one of fewer bits."""


LONGEST_ID = 250
"""Longest id of an image, bytes: a file name has at most 255, and `ID.json` must be one."""


class HasImage(Protocol):
    """Anything with an id and an image file, such as `wsseg.datasets.Record`."""

    @property
    def id(self) -> str: ...  # noqa: D102
    @property
    def image(self) -> Path: ...  # noqa: D102


def read_image(path: str | Path) -> np.ndarray:
    """Read an image file as RGB, upright.

    Gray, palette and CMYK images become RGB. 16-bit gray is scaled by 1/257, so that 65535 becomes 255; floats are in
    [0, 1] or 0..255. Transparent pixels are composited on white. The EXIF orientation is applied. The first frame of an
    animation is read. `keras.utils.load_img` differs in two things: it drops the alpha channel, which shows the colours
    below transparent pixels, and leaves an image as it is stored (`wsseg.channel_images` reads with its alpha).

    Args:
        path: Image file of any format that Pillow reads.

    Returns:
        `(H, W, 3) uint8` RGB.

    Raises:
        InputError: The file is missing, empty, broken, truncated or not an image; it has more pixels than the cap (see
            `wsseg.pixel_cap`); or it is deeper than 8 bits and uses so little of its range, or goes so far beyond it,
            that the shades would be lost. The message names the file and the reason.
    """
    path = Path(path)
    try:
        with open_image(path) as image:
            deep_colour = is_deep_colour(image)
            with memory_for(image):
                pixels = np.asarray(_as_rgb(upright(image, path), path), np.uint8)
        if deep_colour:
            refuse_nearly_black(pixels, path)
        return pixels
    except InputError:
        raise
    except Exception as error:  # Pillow's decoders raise OSError, SyntaxError, ValueError, struct.error ...
        raise unreadable(path, error) from error


def image_size_hw(path: str | Path) -> tuple[int, int]:
    """Return the height and width that `read_image` gives, from the file's header alone.

    Raises:
        InputError: The header cannot be read; the message names the file.
    """
    (height, width), orientation = stored_size_hw(path)
    return (width, height) if orientation in TRANSPOSING else (height, width)


def stored_size_hw(path: str | Path) -> tuple[tuple[int, int], int]:
    """Return the height and width of the stored pixels, and their EXIF orientation; 1 is upright.

    Raises:
        InputError: The header cannot be read; the message names the file.
    """
    path = Path(path)
    try:
        with open_image(path) as image:
            width, height = image.size
            orientation = image.getexif().get(ORIENTATION)
            if isinstance(image, TiffImageFile):  # versions of Pillow differ in whether `size` is upright
                width, height = image.tag_v2[_TIFF_WIDTH], image.tag_v2[_TIFF_HEIGHT]
    except InputError:
        raise
    except Exception as error:
        raise unreadable(path, error) from error
    return (height, width), orientation if orientation in range(2, 9) else 1


def pixel_count(path: str | Path) -> int:
    """Return the number of an image's pixels from its header; unlike `image_size_hw`, it never decodes a PNG.

    Raises:
        InputError: See `open_image`.
    """
    with open_image(Path(path)) as image:
        return image.width * image.height


def upright(image: Image.Image, path: Path) -> Image.Image:
    """Load the pixels of an open image as it is shown: turned and mirrored as its EXIF orientation says.

    Args:
        image: The open image.
        path: Its file. A TIFF is read from memory, because Pillow 13 scrambles gray ones that are stored turned when it
            maps the file.
    """
    if isinstance(image, TiffImageFile):
        image = Image.open(io.BytesIO(path.read_bytes()))
    image.load()
    return ImageOps.exif_transpose(image)


def is_deep_colour(image: Image.Image) -> bool:
    """Tell whether an open image has 16 bits per channel of colour, of which Pillow keeps 8."""
    return image.mode in ("RGB", "RGBA", "LA") and any("16" in str(tile[3]) for tile in image.tile)


def refuse_nearly_black(pixels: np.ndarray, path: Path) -> None:
    """Raise an error if 8 of an image's 16 bits per channel leave next to nothing of it."""
    if pixels.size and 0 < pixels.max() <= DARKEST:
        raise InputError(
            f"image {path} has 16 bits per channel and is nearly black: its brightest value is {pixels.max()} of "
            "255; scale its values up to 65535, or save it with 8 bits"
        )


def gray_in_range(path: str | Path, values: tuple[float, float]) -> np.ndarray | None:
    """Read a gray image deeper than 8 bits, scaled by a stated range of values, upright.

    Args:
        path: Image file.
        values: Values that become 0 and 255, such as (0, 4095) of a sensor of 12 bits.

    Returns:
        `(H, W) uint8`; None for an image of 8 bits, or of colours.

    Raises:
        InputError: The file cannot be read, or holds values outside of the range.
    """
    path = Path(path)
    try:
        with open_image(path) as image:
            if image.mode != "F" and not image.mode.startswith("I"):
                return None
            pixels = np.asarray(upright(image, path), np.float64)
    except InputError:
        raise
    except Exception as error:  # as in `read_image`
        raise unreadable(path, error) from error
    low, high = values
    if pixels.size and not (np.isfinite(pixels).all() and low <= pixels.min() and pixels.max() <= high):
        raise InputError(
            f"image {path} holds values from {pixels.min():g} to {pixels.max():g}, outside of the range {low:g} to "
            f"{high:g}; state a wider range"
        )
    return np.rint((pixels - low) * (255 / (high - low))).astype(np.uint8)


def check_image(path: str | Path, minimum_side: int = 16) -> np.ndarray:
    """Read the whole image and raise an error if a network cannot use it.

    Args:
        path: Image file.
        minimum_side: Shortest allowed side, pixels.

    Returns:
        `(H, W, 3) uint8` RGB, see `read_image`.

    Raises:
        InputError: The file cannot be read, or a side is shorter than `minimum_side`.
    """
    pixels = read_image(path)
    height, width = pixels.shape[:2]
    if min(height, width) < minimum_side:
        raise InputError(
            f"image {path} is {width} x {height} pixels (width x height); both sides must have at least "
            f"{minimum_side}"
        )
    return pixels


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
        if (length := len(os.fsencode(record.id))) > LONGEST_ID:
            return (
                f"its name has {length} bytes; shorten it to {LONGEST_ID}, because files are named after it"
            )
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


def open_image(path: Path) -> Image.Image:
    """Open an image file; its pixels are not loaded yet.

    Raises:
        InputError: It is missing, a folder, empty, of no format that Pillow knows, or has too many pixels.
    """
    if path.is_dir():
        raise InputError(f"image {path} is a folder; expected an image file")
    most_pixels()  # raises Pillow's cap where it is to be raised
    try:
        if path.stat().st_size == 0:
            raise InputError(f"image {path} is empty (0 bytes); copy it again or remove it")
        image = Image.open(path)
    except FileNotFoundError:
        raise InputError(f"image {path} does not exist") from None
    except UnidentifiedImageError:
        raise InputError(
            f"{path} is not an image, or has a format that Pillow cannot read; convert it to JPEG or PNG"
        ) from None
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise too_large(path, _size_of(error)) from None
    check_format(image, path)
    return image


def check_format(image: Image.Image, path: Path) -> None:
    """Raise an error if an open image has none of `FORMATS` or too many pixels, before its pixels are read.

    Raises:
        InputError: The message names the file and its format, or its size.
    """
    try:
        check_pixels(image.size, path)
    except InputError:
        image.close()
        raise
    if image.format not in FORMATS:
        image.close()
        raise InputError(
            f"{path} is a file in the format {image.format}, which is not read, whatever its name says; convert it to "
            "JPEG or PNG"
        )


def _size_of(error: Exception) -> str:
    """Return the number of pixels that Pillow's own cap names."""
    return f"{next(iter(re.findall(r'[0-9]+', str(error))), 'too many')} pixels"


def unreadable(path: Path, error: Exception) -> InputError:
    """Return the error for a file whose reading has failed."""
    return InputError(
        f"image {path} cannot be read ({error}); it is broken or truncated: copy it again or remove it"
    )


def _as_rgb(image: Image.Image, path: Path) -> Image.Image:
    if image.mode == "F" or image.mode.startswith("I"):
        return Image.fromarray(_eight_bits(image, path)).convert("RGB")
    if image.mode in ("RGBA", "LA", "PA", "La", "RGBa") or "transparency" in image.info:
        opaque = image.convert("RGBA")
        white = Image.new("RGBA", opaque.size, "white")
        return Image.alpha_composite(white, opaque).convert("RGB")
    return image.convert("RGB")


def _eight_bits(image: Image.Image, path: Path) -> np.ndarray:
    """Scale a deep gray image to 8 bits. Integers are 16-bit values (PNG, TIFF); floats are in [0, 1] or 0..255.

    Raises:
        InputError: A value is outside the range, or the image uses so little of it that most shades would be lost.
    """
    values = np.asarray(image, np.float64)
    if not values.size:
        return values.astype(np.uint8)
    if not np.isfinite(values).all():
        raise InputError(
            f"image {path} holds values that are not finite; replace them, and save it with 8 bits"
        )
    least, most = float(values.min()), float(values.max())
    integers = image.mode != "F"
    whole = 65535 if integers else 255 if most > 1 else 1
    if least < 0 or most > whole:
        expected = "0..65535" if integers else "[0, 1] or 0..255"
        raise InputError(
            f"image {path} holds values from {least:g} to {most:g}; expected {expected}: scale its values, or save it "
            "with 8 bits"
        )
    scaled = np.rint(values * (255 / whole)).astype(np.uint8)
    if most * 255 / whole <= DARKEST and len(np.unique(values)) > len(np.unique(scaled)):
        raise InputError(
            f"image {path} ({'16-bit gray' if integers else 'floats'}) is nearly black: its values end at {most:g} of "
            f"{whole}, and {len(np.unique(scaled))} of its {len(np.unique(values))} shades would be left; scale its "
            f"values up to {whole}, or save it with 8 bits (`wsseg datasets convert ... --gray-range 0 {most:g}`)"
        )
    return scaled
