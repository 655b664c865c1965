"""Masks in CVAT's form "Segmentation mask 1.1": `labelmap.txt`, `SegmentationClass`, `SegmentationObject`, `ImageSets`.

References:
    https://docs.cvat.ai/docs/dataset_management/formats/format-smask
"""

import io
import zipfile
from collections.abc import Iterable, Sequence
from pathlib import Path, PurePosixPath

import numpy as np
from PIL import Image
from skimage.measure import label

from wsseg.annotations.coloured_masks import RGB, MaskCode
from wsseg.artifacts import IGNORE, write_atomically
from wsseg.class_names import BACKGROUND
from wsseg.errors import InputError
from wsseg.palette import colourise, voc_palette

LABEL_MAP = "labelmap.txt"
CLASS_MASKS, OBJECT_MASKS = "SegmentationClass", "SegmentationObject"
LISTS, LIST = "ImageSets/Segmentation", "default.txt"

IGNORE_LABELS = ("ignore", "ignore_255", "ignored")
"""Labels of pixels without a class. The first that is not a class is written, all that are not classes are read."""

BLACK: RGB = (0, 0, 0)
MOST_OBJECTS = 255
"""Largest number of objects in one image that the palette of `SegmentationObject` can tell apart."""


def ignore_label(classes: Sequence[str]) -> str:
    """Return the label under which pixels of 255 are written.

    Example:
        >>> ignore_label(["cat"]), ignore_label(["cat", "ignore"])
        ('ignore', 'ignore_255')
    """
    return next(name for name in IGNORE_LABELS if name not in classes)


def ids_of_labels(classes: Sequence[str]) -> dict[str, int]:
    """Return the mask id of each label: the classes, the background and the labels of 255.

    Example:
        >>> ids_of_labels(["cat", "ignore"])
        {'ignore_255': 255, 'ignored': 255, 'background': 0, 'cat': 1, 'ignore': 2}
    """
    ids = {name: IGNORE for name in IGNORE_LABELS if name not in classes} | {BACKGROUND: 0}
    return ids | {name: number for number, name in enumerate(classes, start=1)}


def write_cvat(path: Path, classes: Sequence[str], masks: Iterable[tuple[str, np.ndarray]]) -> int:
    """Write masks as a zip file that CVAT imports as "Segmentation mask 1.1".

    255 becomes a label of its own (`ignore_label`), because CVAT has no pixels without a meaning. The background needs
    no label: it is what no object of `SegmentationObject` covers. The objects there are the connected parts of each
    class.

    Args:
        path: The zip file.
        classes: Foreground classes, in mask-id order.
        masks: Name of the image file without its suffix, and mask `(H, W) uint8`, for each image.

    Returns:
        Number of masks.

    Raises:
        InputError: A name cannot be written in this form.
    """
    ids = [BACKGROUND, *classes, ignore_label(classes)]
    for name in ids[1:]:
        if set(name) & set(":\r\n") or name != name.strip() or name.startswith("#"):
            raise InputError(
                f"class `{name}` cannot be written in CVAT's {LABEL_MAP}, which parts its columns by `:`; rename the "
                "class, or use --format coco"
            )
    palette = voc_palette()[[*range(len(classes) + 1), IGNORE]].tolist()
    lines = ["# label:color_rgb:parts:actions"]
    lines += [f"{name}:{','.join(map(str, colour))}::" for name, colour in zip(ids, palette)]
    names: list[str] = []

    def write(file) -> None:
        with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
            archive.writestr(LABEL_MAP, "\n".join(lines) + "\n")
            for name, mask in masks:
                if name != name.strip() or name.startswith("#") or "\n" in name:
                    raise InputError(
                        f"image `{name}` cannot be listed in CVAT's {LIST}; rename the image, or use --format coco"
                    )
                names.append(name)
                archive.writestr(f"{CLASS_MASKS}/{name}.png", _png(mask))
                archive.writestr(f"{OBJECT_MASKS}/{name}.png", _png(connected_parts(mask)))
            archive.writestr(f"{LISTS}/{LIST}", "".join(f"{name}\n" for name in names))

    write_atomically(path, write)
    return len(names)


def connected_parts(mask: np.ndarray) -> np.ndarray:
    """Number the connected parts of each class, diagonal neighbours included; or the classes, if there are too many.

    Args:
        mask: `(H, W) uint8`: 0 = background.

    Returns:
        `(H, W) uint8`: 0 = background, 1, 2, ... for the parts.

    Example:
        >>> connected_parts(np.array([[1, 0, 1, 2]], np.uint8)).tolist()
        [[1, 0, 2, 3]]
    """
    parts = label(mask, background=0, connectivity=2)
    if parts.max(initial=0) > MOST_OBJECTS:
        _, parts = np.unique(np.append(mask.ravel(), 0), return_inverse=True)
        parts = parts.ravel()[:-1].reshape(mask.shape)
    return parts.astype(np.uint8)


def _png(ids: np.ndarray) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(colourise(ids)).save(buffer, format="PNG")
    return buffer.getvalue()


def read_label_map(path: Path, classes: Sequence[str], name: str | None = None) -> MaskCode:
    """Read `labelmap.txt` as the meaning of colours, and of gray values, which are places in the list.

    Labels are the classes by name. `background` (also `Background`), and black if no label has it, is the background.
    A label that is no class may be in the list, but not in a mask.

    Args:
        path: The file: lines `label:red,green,blue:parts:actions`.
        classes: Foreground classes, in mask-id order.
        name: Name of the file in messages; None for its path.

    Raises:
        InputError: The file is missing or has another form.
    """
    name = name or str(path)
    known = ids_of_labels(classes)
    meanings: list[tuple[str, int | None, RGB | None]] = []
    for number, line in enumerate(_lines(path, name), start=1):
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        text, _, rest = line.strip().partition(":")
        colour = rest.partition(":")[0].strip()
        try:
            rgb = (
                tuple(int(part) for part in colour.split(",")) if colour else None
            )  # of 5,000 digits: ValueError
        except ValueError:
            rgb = ()
        if rgb is not None and (len(rgb) != 3 or not all(0 <= one <= 255 for one in rgb)):
            raise InputError(
                f"{name}, line {number}: expected `label:red,green,blue::`, 0..255 each; got `{line.strip()}`"
            )
        id = known.get(text, 0 if text.lower() == BACKGROUND else None)
        meanings.append((text, id, rgb))
    if not meanings:
        raise InputError(f"{name} names no label; expected lines such as `{classes[0]}:128,0,0::`")
    if all(rgb is None for _, _, rgb in meanings):  # then the colours are those of the palette, in this order
        palette = voc_palette().tolist()
        meanings = [(text, id, tuple(palette[index])) for index, (text, id, _) in enumerate(meanings[:256])]
    colours: dict[RGB, int] = {}
    foreign: dict[RGB, str] = {}
    for text, id, rgb in meanings:
        if rgb is None:
            continue
        same = [(other, its_id) for other, its_id, its in meanings if its == rgb]
        if len({other if its_id is None else its_id for other, its_id in same}) > 1:
            foreign[rgb] = " or ".join(other for other, _ in same)  # one colour of two labels
        elif id is None:
            foreign[rgb] = text
        else:
            colours[rgb] = id
    if BLACK not in colours and BLACK not in foreign:
        colours[BLACK] = 0
    values = {index: id for index, (_, id, _) in enumerate(meanings) if id is not None}
    foreign_values = {index: text for index, (text, id, _) in enumerate(meanings) if id is None}
    return MaskCode(colours, values, foreign, foreign_values, known_from=LABEL_MAP)


def cvat_files(folder: Path) -> tuple[dict[str, Path], list[str]]:
    """Find the masks of an unpacked file.

    Returns:
        Name of the image without suffix -> class mask; and the listed names that have no mask, because nothing was
        drawn.

    Raises:
        InputError: Two masks are of images of the same name.
    """
    root = folder / CLASS_MASKS
    found: dict[str, Path] = {}
    for path in sorted(root.rglob("*.png")):
        if path.name.startswith("."):
            continue
        if path.stem in found:
            raise InputError(f"{found[path.stem]} and {path} are of one image name; remove one of the two")
        found[path.stem] = path
    listed: dict[str, None] = {}
    for path in sorted((folder / LISTS).glob("*.txt")):
        listed |= {
            _stem(line.strip()): None for line in _lines(path, str(path)) if line.strip() and line[0] != "#"
        }
    return found, [name for name in listed if name not in found]


def _stem(name: str) -> str:
    """Return the last part of a name without suffix, which may contain dots."""
    return PurePosixPath(name).name


def _lines(path: Path, name: str) -> list[str]:
    try:
        return path.read_text(encoding="utf-8-sig").splitlines()
    except FileNotFoundError:
        raise InputError(
            f"{name} does not exist; it gives the colours of the labels: export the masks again"
        ) from None
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{name} cannot be read ({error}); expected a text file in UTF-8") from error
