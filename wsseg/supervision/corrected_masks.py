"""The run's folder of corrected masks: masks of training images that the user has mended by hand.

They are the user's own annotation and no masks of the dataset, so a weakly supervised run may use them.
"""

import hashlib
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from wsseg.annotations.coloured_masks import palette_code, read_coloured_mask
from wsseg.artifacts import IGNORE, digest, image_files, write_atomically
from wsseg.class_names import BACKGROUND
from wsseg.datasets import Dataset, Record
from wsseg.errors import InputError
from wsseg.file_names import CLASS_NAMES
from wsseg.supervision.splits import Splits


def counted(number: int) -> str:
    """Return a number of corrected masks in words.

    Example:
        >>> counted(1), counted(3)
        ('1 corrected mask', '3 corrected masks')
    """
    return f"{number} corrected mask{'s' if number != 1 else ''}"


def corrected_files(folder: Path | None) -> dict[str, Path]:
    """Return the corrected masks in a folder: image id -> file. It is empty if the folder does not exist."""
    return {} if folder is None else dict(image_files(folder, ".png"))


def fingerprint_of_corrected_masks(splits: Splits) -> str | None:
    """Return a hash of the corrected masks' ids and contents; None if there is no corrected mask."""
    files = corrected_files(splits.corrected)
    if not files:
        return None
    try:
        return digest([[id, hashlib.sha256(path.read_bytes()).hexdigest()] for id, path in files.items()])
    except OSError as error:
        raise InputError(f"corrected mask {error.filename} cannot be read ({error.strerror})") from error


def write_classes(folder: Path, classes: Sequence[str]) -> None:
    """Write the names of the classes whose ids the masks hold, the background first."""
    text = "".join(f"{name}\n" for name in (BACKGROUND, *classes))
    write_atomically(folder / CLASS_NAMES, lambda file: file.write(text.encode()))


def check_classes(folder: Path, classes: Sequence[str]) -> None:
    """Raise an error if the masks in a folder were taken for other classes, whose ids mean something else.

    Raises:
        InputError: The message names both lists.
    """
    path = folder / CLASS_NAMES
    try:
        known = path.read_text().splitlines()
    except (OSError, UnicodeDecodeError):
        raise InputError(
            f"{path} cannot be read, so the classes of the corrected masks are not known; move the folder {folder} "
            "elsewhere and give its masks with `wsseg correct`"
        ) from None
    if known != [BACKGROUND, *classes]:
        raise InputError(
            f"the corrected masks in {folder} are for the classes {', '.join(known[1:])}; the recipe has "
            f"{', '.join(classes)}; use the same `dataset.classes`, or move the folder elsewhere"
        )


def read_corrected_mask(path: Path, dataset: Dataset, record: Record) -> np.ndarray:
    """Read the corrected mask of a record.

    Returns:
        `(H, W) uint8`, as large as the image: 0 = background, 1..K, 255 = ignore.

    Raises:
        InputError: The file is broken, or does not fit the image or the classes.
    """
    try:
        return read_coloured_mask(path, palette_code(len(dataset.classes)), dataset.size_hw(record))[0]
    except InputError as error:
        raise InputError(
            f"corrected {error}; or take it out with `wsseg correct RUN --undo {record.id}`"
        ) from error


def check_corrected_masks(splits: Splits) -> int:
    """Raise an error if a corrected mask of a training image cannot be used.

    Returns:
        Number of corrected masks, including those of images that are not in the training split.

    Raises:
        InputError: The message names the file.
    """
    files = corrected_files(splits.corrected)
    if files:
        train = splits.train()
        check_classes(splits.corrected, train.classes)
        for record in train:
            if record.id in files:
                read_corrected_mask(files[record.id], train, record)
    return len(files)


def classes_without_label(mask: np.ndarray, record: Record, classes: Sequence[str]) -> list[str]:
    """Return the names of a mask's classes that the image's labels lack, in the order of the classes.

    Example:
        >>> record = Record("a", Path("a.jpg"), ("cat",))
        >>> classes_without_label(np.array([[0, 1, 2, 255]]), record, ("cat", "dog"))
        ['dog']
    """
    present = [classes[one - 1] for one in np.unique(mask).tolist() if 0 < one < IGNORE]
    return [name for name in present if name not in record.labels]


def describe_contradictions(contradictions: dict[str, list[str]], count: int) -> str:
    """Say in one line which corrected masks have classes that the image's labels lack.

    Args:
        contradictions: Image id -> names of these classes.
        count: Number of corrected masks.

    Returns:
        The line; empty if there is none.

    Example:
        >>> describe_contradictions({"a": ["dog"], "b": ["cat", "dog"]}, 10)[:78]
        "2 of 10 corrected masks have a class that the image's labels lack (dog in 2, c"
    """
    if not contradictions:
        return ""
    images: dict[str, int] = {}
    for names in contradictions.values():
        for name in names:
            images[name] = images.get(name, 0) + 1
    several = len(contradictions) > 1
    return (
        f"{len(contradictions)} of {count} corrected masks {'have' if several else 'has'} a class that the image's "
        f"labels lack ({', '.join(f'{name} in {number}' for name, number in images.items())}), such as "
        f"`{min(contradictions)}`; the masks are used as they are; correct the labels too, from which the classifier "
        "learns"
    )
