"""Masks that a person painted: PNG files of class ids or of colours, as paint programs write them."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, ImageOps
from scipy.ndimage import binary_dilation, binary_erosion
from skimage.measure import label

from wsseg.artifacts import IGNORE
from wsseg.errors import InputError
from wsseg.image_files import check_format
from wsseg.palette import voc_palette

RGB = tuple[int, int, int]

UNKNOWN, FOREIGN = -1, -2
"""Marks of a pixel whose colour has no meaning, or means a label that has no mask id."""

NAMED_COLOURS = 3
"""Number of unknown colours that a message names, the most frequent first."""


@dataclass(frozen=True)
class MaskCode:
    """Meaning of the colours and gray values of mask files.

    Attributes:
        colours: Colour -> mask id: 0 = background, 1..K, 255 = ignore.
        values: Gray value -> mask id.
        foreign: Colour -> name of a label that has no mask id. A mask with such a pixel is refused.
        foreign_values: The same for gray values.
        values_in_colour_files: Whether a colour file whose pixels are all gray may hold the values, as a paint program
            saves a gray file.
        known_from: Where a user finds the colours, for messages.
    """

    colours: Mapping[RGB, int]
    values: Mapping[int, int]
    foreign: Mapping[RGB, str] = field(default_factory=dict)
    foreign_values: Mapping[int, str] = field(default_factory=dict)
    values_in_colour_files: bool = False
    known_from: str = "`wsseg correct RUN --show`"


def palette_code(num_classes: int) -> MaskCode:
    """Return the code of a run's masks: the VOC palette's colours, and class ids as gray values.

    Args:
        num_classes: Number of classes K, without the background.

    Example:
        >>> code = palette_code(2)
        >>> code.colours[(128, 0, 0)], code.values, len(code.colours)
        (1, {0: 0, 1: 1, 2: 2, 255: 255}, 4)
    """
    ids = [*range(num_classes + 1), IGNORE]
    palette = voc_palette()
    colours = {tuple(palette[one].tolist()): one for one in ids}
    return MaskCode(colours, {one: one for one in ids}, values_in_colour_files=True)


def read_coloured_mask(
    path: Path,
    code: MaskCode,
    size_hw: tuple[int, int],
    unknown_to_ignore: bool = False,
    name: str | None = None,
) -> tuple[np.ndarray, int]:
    """Read a mask in any form of PNG: RGB, RGBA, indexed with a palette in any order, or grayscale.

    Indexed and colour files are read by their colours, never by the palette's order. Gray files are read by their
    values. If that leaves pixels without a meaning, a gray file is also read by its colours, and a colour file whose
    pixels are all gray by its values, because paint programs change the form when they save. An EXIF orientation is
    applied.

    Args:
        path: PNG file.
        code: Meaning of colours and gray values.
        size_hw: Height and width of the image that the mask belongs to.
        unknown_to_ignore: Whether pixels of unknown colour, or not opaque, become 255; otherwise they are an error.
            Thin lines of a class beside unknown colours become 255, too: a smoothed edge may have just that class's
            colour, as half of (128, 0, 0) is class 8 in the palette.
        name: Name of the file in messages; None for its path.

    Returns:
        `(H, W) uint8`, and the number of pixels that became 255 because their colour is unknown or may be a mixture.

    Raises:
        InputError: The file is no PNG or is broken, has another size, has a colour without a meaning (the message names
            colour, count and place), or can be read in two ways.
    """
    name = name or str(path)
    rgb, opaque, gray_file = _pixels(path, name)
    if rgb.shape[:2] != tuple(size_hw):
        turned = rgb.shape[:2] == tuple(size_hw)[::-1]
        raise InputError(
            f"mask {name} is {rgb.shape[1]} x {rgb.shape[0]} pixels but its image is {size_hw[1]} x {size_hw[0]} "
            "(width x height); "
            + ("turn it as viewers show the photograph" if turned else "paint on a mask of the image's size")
        )
    packed = rgb.astype(np.int32) @ np.array([1 << 16, 1 << 8, 1], np.int32)
    found, inverse = np.unique(packed, return_inverse=True)
    colours = np.stack([found >> 16, found >> 8 & 255, found & 255], axis=1)
    counts = np.bincount(inverse.ravel(), weights=opaque.ravel(), minlength=len(found))
    used = counts > 0  # else the colour is that of transparent pixels alone
    by_colour = np.array([_meaning(tuple(one), code.colours, code.foreign) for one in colours.tolist()])
    ways = [by_colour]
    if (gray_file or code.values_in_colour_files) and (colours == colours[:, :1]).all():
        by_value = np.array(
            [_meaning(one, code.values, code.foreign_values) for one in colours[:, 0].tolist()]
        )
        ways = [by_value, by_colour] if gray_file else [by_colour, by_value]
        differ = used & (by_value != by_colour)
        if gray_file and differ.any() and not any((way[used] < 0).any() for way in ways):
            value = int(colours[differ][0, 0])
            raise InputError(
                f"mask {name}: gray {value} may be the value of mask id {by_value[differ][0]} or the colour of mask id "
                f"{by_colour[differ][0]}; save the mask as RGB, in the classes' colours"
            )
    ids = min(ways, key=lambda way: counts[way == UNKNOWN].sum())
    for one in colours[(ids == FOREIGN) & used].tolist():
        other = code.foreign[tuple(one)] if ids is by_colour else code.foreign_values[one[0]]
        raise InputError(
            f"mask {name} has the label `{other}`, which is not a class of this run; rename the label, or paint these "
            "pixels as another class"
        )
    mask = ids[inverse].reshape(rgb.shape[:2])
    mask[~opaque] = UNKNOWN
    unknown = int((mask == UNKNOWN).sum())
    if unknown and (not unknown_to_ignore or unknown == mask.size):
        raise InputError(_describe_unknown(name, rgb, mask == UNKNOWN, opaque, code))
    mixed = (mask == UNKNOWN) & opaque
    if mixed.any():
        mask[_thin_beside(mixed, mask)] = UNKNOWN
    unknown = int((mask == UNKNOWN).sum())
    mask[mask == UNKNOWN] = IGNORE
    return mask.astype(np.uint8), unknown


def _thin_beside(mixed: np.ndarray, mask: np.ndarray) -> np.ndarray:
    """Return the pixels of connected parts of classes that touch mixed pixels and are nowhere 3 pixels wide."""
    near = binary_dilation(mixed, np.ones((3, 3)))
    classes = np.where((mask > 0) & (mask < IGNORE), mask, 0)
    parts = label(classes, background=0, connectivity=2)
    wide = np.zeros(parts.max() + 1, bool)
    for id in np.unique(classes[classes > 0]):
        wide[parts[binary_erosion(classes == id, np.ones((3, 3)), border_value=1)]] = True
    touching = np.zeros(len(wide), bool)
    touching[parts[near]] = True
    touching[0] = False
    return (touching & ~wide)[parts]


def _meaning(one: Any, ids: Mapping[Any, int], foreign: Mapping[Any, str]) -> int:
    return FOREIGN if one in foreign else ids.get(one, UNKNOWN)


def _pixels(path: Path, name: str) -> tuple[np.ndarray, np.ndarray, bool]:
    """Return colours `(H, W, 3) uint8`, opaque pixels `(H, W) bool`, and whether the file holds gray values."""
    try:
        with Image.open(path) as opened:
            if opened.format != "PNG":
                raise InputError(
                    f"mask {name} is a {opened.format} file; save it as PNG, which keeps every pixel's value"
                )
            check_format(opened, path)
            opened.load()
            image = ImageOps.exif_transpose(opened)
    except InputError:
        raise
    except FileNotFoundError:
        raise InputError(f"mask {name} does not exist") from None
    except Exception as error:  # Pillow's decoders raise OSError, SyntaxError, ValueError, struct.error ...
        raise InputError(f"mask {name} cannot be read ({error}); expected a PNG") from error
    if image.mode == "1":
        raise InputError(
            f"mask {name} has one bit per pixel, so its white may be class id 1 or 255; save it as RGB or 8-bit PNG"
        )
    if image.mode.startswith("I"):
        gray = _eight_bits(np.asarray(image), name)
        return np.stack([gray] * 3, axis=-1), np.ones(gray.shape, bool), True
    rgba = np.asarray(image.convert("RGBA"))
    gray_file = image.mode in ("L", "LA")
    if image.mode == "P":
        index = np.asarray(image)
        gray_file = bool((rgba[..., :3] == index[..., None]).all())
    return rgba[..., :3], rgba[..., 3] == 255, gray_file


def _eight_bits(deep: np.ndarray, name: str) -> np.ndarray:
    """Return the 8-bit values of 16-bit gray: as they are if they fit, or divided by 257 if a program scaled them."""
    if deep.max(initial=0) <= 255:
        return deep.astype(np.uint8)
    if (deep % 257 == 0).all():
        return (deep // 257).astype(np.uint8)
    raise InputError(f"mask {name} has 16-bit values that are no class ids; save it as 8-bit PNG")


def _describe_unknown(
    name: str, rgb: np.ndarray, unknown: np.ndarray, opaque: np.ndarray, code: MaskCode
) -> str:
    clear = unknown & ~opaque
    parts = []
    if clear.any():
        parts.append(f"{_pixel_count(clear.sum())} not opaque, the first at {_place(clear)}")
    odd = unknown & opaque
    if odd.any():
        colours, counts = np.unique(rgb[odd], axis=0, return_counts=True)
        order = np.argsort(-counts, kind="stable")[:NAMED_COLOURS]
        for colour, count in zip(colours[order], counts[order]):
            here = odd & (rgb == colour).all(axis=-1)
            parts.append(
                f"{_pixel_count(count)} of unknown colour {tuple(colour.tolist())}, the first at {_place(here)}"
            )
        if len(colours) > NAMED_COLOURS:
            parts.append(f"and {len(colours) - NAMED_COLOURS} more unknown colours")
    return (
        f"mask {name} has {', '.join(parts)}; paint with the classes' exact colours ({code.known_from}), without "
        "anti-aliasing and fully opaque, or make these pixels 255 with `--unknown ignore`"
    )


def _pixel_count(count: int) -> str:
    return f"{count:,} pixel{'s' if count > 1 else ''}"


def _place(pixels: np.ndarray) -> str:
    row, column = np.argwhere(pixels)[0].tolist()
    return f"column {column}, row {row}"
