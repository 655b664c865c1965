"""What the pixel values of a mask file mean: class ids, other values that an option declares, or gray levels."""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import numpy as np
from PIL import Image

from wsseg.artifacts import IGNORE, opened_mask
from wsseg.class_names import BACKGROUND
from wsseg.datasets.mask_ids import ILLEGAL, mask_id_table
from wsseg.errors import InputError, is_whole, nearest
from wsseg.image_files import upright

LOSSY = ("JPEG", "JPEG2000", "MPO", "WEBP", "AVIF")
"""Formats that change pixel values, as Pillow names them."""

MOST_VALUES = 65536
"""Number of values of a 16-bit mask."""


def stored_values(path: Path, as_ids: bool = False) -> np.ndarray:
    """Read the values of a mask file as they are stored, upright.

    Args:
        path: An indexed or grayscale file of up to 16 bits, or one of three equal channels. Not JPEG, which changes
            values.
        as_ids: Whether the values are to be ids, of which 0 is the background. A palette must then not show another
            index in black and index 0 in a colour: programs that save colours with a palette of their own number them
            in any order.

    Returns:
        `(H, W)` integers, uint8 for files of up to 8 bits.

    Raises:
        InputError: The file is missing or broken, holds colours or transparent pixels, or has a lossy format.
    """
    with opened_mask(path) as image:
        lossy = image.format in LOSSY
        palette = image.getpalette("RGB") if as_ids and image.mode == "P" else None
        values = _one_channel(upright(image, path), path)
    if palette:
        _check_palette(np.array(palette).reshape(-1, 3), values, path)
    if lossy:
        raise InputError(
            f"mask {path} has a format that changes values, so they are no class ids; save the masks as PNG, or, if "
            "they are gray levels of one class, give the level above which a pixel is of it (`mask_level`): try 127"
        )
    return values


def _check_palette(palette: np.ndarray, values: np.ndarray, path: Path) -> None:
    used = [int(value) for value in np.unique(values) if value < len(palette)]
    black = [value for value in used if 0 < value < IGNORE and not palette[value].any()]
    if 0 in used and palette[0].any() and black:
        raise InputError(
            f"mask {path} shows the value {black[0]} in black and 0 in the colour {tuple(palette[0].tolist())}: its "
            "palette numbers colours in an order of its own, so its values are no class ids; say what they mean, as in "
            f"`mask_values: {{{black[0]}: background, 0: ...}}`, or save the masks as class ids"
        )


def _one_channel(image: Image.Image, path: Path) -> np.ndarray:
    if image.mode in ("P", "L", "1"):
        return np.array(image, np.uint8)
    if image.mode == "I" or image.mode.startswith("I;16"):
        return np.array(image).astype(np.int64)
    pixels = np.array(image)
    if image.mode in ("LA", "RGBA"):
        if pixels[..., -1].min(initial=255) < 255:
            raise InputError(f"mask {path} has transparent pixels; save it as an indexed or grayscale PNG")
        pixels = pixels[..., :-1]
    if image.mode not in ("LA", "RGB", "RGBA") or (pixels != pixels[..., :1]).any():
        raise InputError(
            f"mask {path} holds {image.mode} colours; a mask must be an indexed (palette) or grayscale PNG whose "
            "values are class ids; convert the colours to ids, or, in the datasets `folder` and `mask_folders`, name "
            "the file that explains them as `mask_colours`"
        )
    return pixels[..., 0]


def value_table(classes: Sequence[str], values: Mapping | None, option: str) -> np.ndarray:
    """Return the lookup table from the values of a mask file to ids; see `wsseg.datasets.mask_ids.mask_id_table`.

    Args:
        classes: Classes in mask-id order.
        values: Value -> id in 0..K or 255, name of a class, `background` or `ignore`. Other values are illegal, but for
            0 (background) and 255 (ignore) where they are not named; `{255: ignore}` leaves them ids. None if the
            values are the ids.
        option: Name of the option, for the message.

    Returns:
        `(V,) int16`, V = 256 or 65536.

    Raises:
        InputError: A value or its meaning is not as above.

    Example:
        >>> value_table(("cat", "dog"), {0: "cat", 1: "dog"}, "mask_values")[[0, 1, 2, 255]].tolist()
        [1, 2, -1, 255]
    """
    if values is None:
        return mask_id_table(classes, classes)
    if not isinstance(values, Mapping) or not values:
        raise InputError(f"{option} must say what values mean, such as {{255: {classes[0]}}}; got {values!r}")
    if {_number(value) for value in values} == {IGNORE} and all(
        one in ("ignore", IGNORE) for one in values.values()
    ):
        return mask_id_table(classes, classes)  # a confirmation of what 255 means: the others are ids
    table = np.full(MOST_VALUES if max(map(_number, values)) > IGNORE else IGNORE + 1, ILLEGAL, np.int16)
    table[0], table[IGNORE] = 0, IGNORE
    for value, meaning in values.items():
        number = _number(value)
        if not 0 <= number < MOST_VALUES:
            raise InputError(f"{option}: a value must be a whole number in 0..65535; got {value!r}")
        table[number] = _id_of(meaning, classes, option)
    return table


def _number(value: object) -> int:
    text = str(value)
    return int(text) if not isinstance(value, bool) and text.isdecimal() and len(text) < 10 else -1


def _id_of(meaning: object, classes: Sequence[str], option: str) -> int:
    names = {BACKGROUND: 0, "ignore": IGNORE}
    names |= {name: index for index, name in enumerate(classes, 1)}
    if isinstance(meaning, str) and meaning in names:
        return names[meaning]
    if isinstance(meaning, str) and meaning.isdecimal() and len(meaning) < 10:
        meaning = int(meaning)
    if is_whole(meaning, 0) and (meaning <= len(classes) or meaning == IGNORE):
        return int(meaning)
    raise InputError(
        f"{option}: a value means an id in 0..{len(classes)}, 255, or the name of a class, background or ignore; got "
        f"{meaning!r}; {nearest(str(meaning), names)}"
    )


def check_level(level: int | None, option: str) -> None:
    """Raise an error unless a gray level is None or a whole number in 0..254."""
    if level is not None and (not is_whole(level, 0) or level > 254):
        raise InputError(f"{option} must be a whole number in 0..254; got {level!r}; try 127")


def some_values(values: Iterable[int]) -> str:
    """Return the values of a mask as text, shortened.

    Example:
        >>> some_values([0, 255]), some_values(range(100))
        ('0 and 255', '0, 1, 2, 3, 4, 5 ... 99 (100 values)')
    """
    found = sorted({int(value) for value in values})
    if len(found) > 8:
        return f"{', '.join(map(str, found[:6]))} ... {found[-1]} ({len(found)} values)"
    return (
        " and ".join(filter(None, [", ".join(map(str, found[:-1])), str(found[-1])])) if found else "no value"
    )
