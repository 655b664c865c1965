"""Masks whose colours a file explains: CamVid's label_colors.txt, a class_dict.csv, or CVAT's labelmap.txt."""

import re
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from wsseg.artifacts import IGNORE, opened_mask
from wsseg.class_names import BACKGROUND_NAMES, NO_CLASS_NAMES, foreground_names
from wsseg.datasets.mask_values import LOSSY
from wsseg.errors import InputError
from wsseg.image_files import upright

RGB = tuple[int, int, int]

_FORMS = (
    re.compile(r"(?P<r>\d+)[\s,]+(?P<g>\d+)[\s,]+(?P<b>\d+)[\s,]+(?P<name>\S.*?)"),  # 64 128 64 Animal
    re.compile(
        r"(?P<name>[^,;\t]+?)\s*[,;\t]\s*(?P<r>\d+)\s*[,;\t]\s*(?P<g>\d+)\s*[,;\t]\s*(?P<b>\d+)"
    ),  # a,1,2,3
    re.compile(r"(?P<name>[^:]+?)\s*:\s*(?P<r>\d+)\s*,\s*(?P<g>\d+)\s*,\s*(?P<b>\d+)\s*:.*"),  # a:1,2,3::
)


def read_colours(path: Path) -> dict[str, RGB]:
    """Read names and their colours, one per line: `64 128 64 Animal`, `Animal,64,128,64` or `Animal:64,128,64::`.

    A first line of headers and lines with `#` before them are skipped.

    Raises:
        InputError: The file cannot be read, a line has another form, or a name or a colour appears twice.
    """
    try:
        lines = path.read_text(encoding="utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(
            f"{path} cannot be read ({error}); expected lines such as `64 128 64 Animal`"
        ) from error
    found: dict[str, RGB] = {}
    first = True
    for number, line in enumerate(lines, 1):
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        match = next((match for form in _FORMS if (match := form.fullmatch(line.strip()))), None)
        if match is None and first and not re.search(r"\d", line):
            first = False
            continue  # the header `name,r,g,b`
        first = False
        colour = tuple(int(match[part]) for part in "rgb") if match else ()
        if not match or max(colour) > 255:
            raise InputError(
                f"{path}, line {number}: expected a name and its red, green and blue in 0..255, such as "
                f"`64 128 64 Animal` or `Animal,64,128,64`; got `{line.strip()[:60]}`"
            )
        name = match["name"].strip()
        if name in found or colour in found.values():
            raise InputError(
                f"{path}, line {number}: `{name}` or its colour {colour} is there already; remove one"
            )
        found[name] = colour
    if not found:
        raise InputError(f"{path} names no colour; expected lines such as `64 128 64 Animal`")
    return found


def classes_of_colours(colours: Mapping[str, RGB], source: str) -> tuple[str, ...]:
    """Return the classes among the names, in the order of the file: all but background, void and the like."""
    names = [name for name in colours if name.lower() not in {*BACKGROUND_NAMES, *NO_CLASS_NAMES}]
    return foreground_names(names, source)


def ids_of_colours(colours: Mapping[str, RGB], classes: Sequence[str]) -> dict[RGB, int]:
    """Return the mask id of each colour: 0 for the background and for classes that are not chosen, 255 for void."""
    ids = {name: number for number, name in enumerate(classes, 1)}
    void = {name for name in colours if name.lower() in NO_CLASS_NAMES and name not in ids}
    return {colour: IGNORE if name in void else ids.get(name, 0) for name, colour in colours.items()}


def read_coloured(path: Path, ids: Mapping[RGB, int]) -> np.ndarray:
    """Read a mask of colours.

    Args:
        path: A PNG, TIFF or BMP; a palette counts by the colours that it shows.
        ids: Colour -> mask id.

    Returns:
        `(H, W) uint8` mask ids.

    Raises:
        InputError: The file is broken, has a format that changes colours, has transparent pixels, or a colour that is
            not among `ids`; the message names the first one and where it stands.
    """
    with opened_mask(path) as image:
        lossy = image.format in LOSSY
        turned = upright(image, path).convert("RGBA")
        pixels = np.asarray(turned, np.int64)
    if lossy:
        raise InputError(f"mask {path} has a format that changes colours; save the masks as PNG")
    if pixels.size and pixels[..., 3].min() < 255:
        raise InputError(f"mask {path} has transparent pixels; save it without transparency")
    codes = pixels[..., 0] << 16 | pixels[..., 1] << 8 | pixels[..., 2]
    known = np.array(sorted(r << 16 | g << 8 | b for r, g, b in ids), np.int64)
    numbers = np.array([ids[code >> 16, code >> 8 & 255, code & 255] for code in known.tolist()], np.uint8)
    place = np.minimum(np.searchsorted(known, codes), len(known) - 1)
    wrong = known[place] != codes
    if wrong.any():
        row, column = np.argwhere(wrong)[0].tolist()
        raise InputError(
            f"mask {path} has the colour {tuple(pixels[row, column, :3].tolist())} at row {row}, column {column}, and "
            f"{int(wrong.sum())} such pixels, which the file of colours does not name; add it there, or draw the masks "
            "without anti-aliasing"
        )
    return numbers[place]
