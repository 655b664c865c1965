"""Where corrected masks come from: files, folders, CVAT's form or COCO's."""

import functools
import zipfile
import zlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

from wsseg.annotations.coco_masks import draw_coco, read_coco
from wsseg.annotations.coloured_masks import MaskCode, palette_code, read_coloured_mask
from wsseg.annotations.cvat_masks import CLASS_MASKS, LABEL_MAP, cvat_files, ids_of_labels, read_label_map
from wsseg.artifacts import IGNORE
from wsseg.class_names import BACKGROUND
from wsseg.errors import InputError
from wsseg.file_names import CLASS_NAMES

LARGEST_ENTRY = 2**30
"""Largest file that is unpacked from a zip file of masks, bytes."""

Read = Callable[[tuple[int, int], bool], tuple[np.ndarray, int]]
"""Function of the image's height and width, and whether unknown colours become 255; see `read_coloured_mask`."""

EXPECTED = "a mask ID.png, a folder of masks, or CVAT's zip file or folder, or a COCO file (.json)"


@dataclass(frozen=True)
class FoundMask:
    """A mask that was given, not yet read.

    Attributes:
        image: Name of its image without the suffix.
        name: Name of the mask for messages.
        read: Function that reads it.
    """

    image: str
    name: str
    read: Read


@dataclass
class FoundMasks:
    """Masks of one or more sources.

    Attributes:
        masks: The masks.
        empty: Names of images that a source lists without any object, and masks of background alone for them.
    """

    masks: list[FoundMask] = field(default_factory=list)
    empty: list[FoundMask] = field(default_factory=list)


@contextmanager
def found_masks(sources: Sequence[Path], classes: Sequence[str]) -> Iterator[FoundMasks]:
    """Find the masks in sources; zip files are unpacked as long as the context lasts.

    Args:
        sources: Files and folders.
        classes: Foreground classes of the run, in mask-id order.

    Raises:
        InputError: A source is missing, is of no known form or holds no mask.
    """
    found = FoundMasks()
    with ExitStack() as stack:
        for source in sources:
            before = len(found.masks) + len(found.empty)
            if not source.exists():
                raise InputError(f"{source} does not exist; give {EXPECTED}")
            if source.is_dir():
                _add_folder(found, source, classes, str(source))
            elif source.suffix.lower() == ".zip":
                folder = Path(stack.enter_context(TemporaryDirectory(prefix="wsseg-")))
                _unpack(source, folder)
                _add_folder(found, _inner(folder), classes, str(source))
            elif source.suffix.lower() == ".json":
                _add_coco(found, source, classes, str(source))
            elif source.suffix.lower() == ".png":
                _add_png(found, source, _code_of_folder(source.parent, classes), str(source))
            else:
                raise InputError(f"{source} is no mask; give {EXPECTED}")
            if len(found.masks) + len(found.empty) == before:
                raise InputError(f"{source} holds no mask; give {EXPECTED}")
        yield found


def _add_folder(found: FoundMasks, folder: Path, classes: Sequence[str], name: str) -> None:
    if (folder / CLASS_MASKS).is_dir():
        code = read_label_map(folder / LABEL_MAP, classes, f"{name}: {LABEL_MAP}")
        files, listed = cvat_files(folder)
        for path in files.values():
            _add_png(found, path, code, f"{name}: {path.relative_to(folder)}")
        found.empty += [FoundMask(image, f"{name}: {image}", _background) for image in listed]
        return
    annotations = [path for path in sorted((folder / "annotations").glob("*.json")) if path.name[0] != "."]
    if annotations:
        if len(annotations) > 1:
            raise InputError(f"{name} holds {len(annotations)} annotation files; give one of them")
        _add_coco(found, annotations[0], classes, f"{name}: {annotations[0].name}")
        return
    code = _code_of_folder(folder, classes)
    for path in sorted(folder.glob("*.png")):
        if not path.name.startswith("."):
            _add_png(found, path, code, f"{name}/{path.name}")


def _code_of_folder(folder: Path, classes: Sequence[str]) -> MaskCode:
    """Return the code of the run's masks; or that of `classes.txt` beside them, from a run or `wsseg predict`."""
    path = folder / CLASS_NAMES
    own = palette_code(len(classes))
    if not path.exists():
        return own
    try:
        names = path.read_text().splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{path} cannot be read ({error}); expected a class name per line") from error
    if names == [BACKGROUND, *classes]:
        return own
    if not names or names[0] != BACKGROUND or len(names) > IGNORE:
        raise InputError(
            f"{path} must name the classes of the masks beside it, first `{BACKGROUND}`; mend or remove it"
        )
    known, stored = ids_of_labels(classes), palette_code(len(names) - 1)
    ids = {number: known.get(text) for number, text in enumerate(names)} | {IGNORE: IGNORE}
    return MaskCode(
        {colour: ids[one] for colour, one in stored.colours.items() if ids[one] is not None},
        {one: id for one, id in ids.items() if id is not None},
        {colour: names[one] for colour, one in stored.colours.items() if ids[one] is None},
        {one: names[one] for one, id in ids.items() if id is None},
        values_in_colour_files=True,
        known_from=f"the palette of PASCAL VOC in the order of {path}",
    )


def _add_png(found: FoundMasks, path: Path, code: MaskCode, name: str) -> None:
    def read(size_hw: tuple[int, int], unknown_to_ignore: bool) -> tuple[np.ndarray, int]:
        return read_coloured_mask(path, code, size_hw, unknown_to_ignore, name)

    found.masks.append(FoundMask(path.stem, name, read))


def _add_coco(found: FoundMasks, path: Path, classes: Sequence[str], name: str) -> None:
    index = read_coco(path)

    def read(image: str, size_hw: tuple[int, int], unknown_to_ignore: bool) -> tuple[np.ndarray, int]:
        entry, text = index.by_stem[image], f"{name}: image `{image}`"
        if entry.size_hw != tuple(size_hw):
            raise InputError(
                f"{text} is {entry.size_hw[1]} x {entry.size_hw[0]} pixels there, but {size_hw[1]} x {size_hw[0]} in "
                "the dataset (width x height); annotate the dataset's own image"
            )
        return draw_coco(index, entry, classes, text), 0

    for image, entry in index.by_stem.items():
        one = FoundMask(image, f"{name}: image `{image}`", functools.partial(read, image))
        (found.masks if entry.objects else found.empty).append(one)


def _background(size_hw: tuple[int, int], unknown_to_ignore: bool) -> tuple[np.ndarray, int]:
    return np.zeros(size_hw, np.uint8), 0


def _unpack(path: Path, folder: Path) -> None:
    try:
        with zipfile.ZipFile(path) as archive:
            for entry in archive.infolist():
                if entry.file_size > LARGEST_ENTRY:
                    raise InputError(
                        f"{path}: `{entry.filename}` would unpack to {entry.file_size / 2**30:.1f} GiB; expected masks"
                    )
                parts = Path(entry.filename).parts
                if entry.filename.lower().endswith((".png", ".txt", ".json")) and "__MACOSX" not in parts:
                    archive.extract(entry, folder)
    except InputError:
        raise
    except (OSError, EOFError, zipfile.BadZipFile, zlib.error, RuntimeError, ValueError) as error:
        raise InputError(f"{path} cannot be unpacked ({error}); expected a zip file of masks") from error


def _inner(folder: Path) -> Path:
    """Return the only folder in a folder, as in a zip file of a folder; or the folder itself."""
    inside = list(folder.iterdir())
    known = (CLASS_MASKS, "annotations")
    if len(inside) == 1 and inside[0].is_dir() and inside[0].name not in known:
        return inside[0]
    return folder
