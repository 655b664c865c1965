"""Images that two splits share, or that one split has twice: the same file, or a file of the same content."""

import hashlib
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

from wsseg.datasets.record import Record

TAIL = 4096
"""Bytes at the end of files of equal size that are compared before whole files are."""


def shared_images(first: Iterable[Record], second: Iterable[Record]) -> list[tuple[Record, Record]]:
    """Return the images of one split that are also in another.

    Files of different sizes are not read. Of files of equal size, only the last bytes are, unless these are equal too.
    A file that is empty or cannot be read is equal to itself alone.

    Returns:
        A pair of equal images for each image of `first` that is in `second`, in the order of `first`.
    """
    first, second = list(first), list(second)
    content = _contents([record.image for record in (*first, *second)])
    known: dict[object, Record] = {}
    for record in second:
        known.setdefault(content[record.image], record)
    return [(record, known[content[record.image]]) for record in first if content[record.image] in known]


def repeated_images(records: Iterable[Record]) -> dict[str, str]:
    """Return the images whose content an earlier image has too, `id -> id of the earlier one`."""
    records = list(records)
    content = _contents([record.image for record in records])
    earlier: dict[object, str] = {}
    result = {}
    for record in records:
        same = earlier.setdefault(content[record.image], record.id)
        if same != record.id:
            result[record.id] = same
    return result


def _contents(paths: Sequence[Path]) -> dict[Path, object]:
    """Return a key of each file; the keys of two files are equal exactly if their contents are."""
    files = {path: path.resolve() for path in dict.fromkeys(paths)}
    keys: dict[Path, object] = {}
    groups: list[list[Path]] = [list(dict.fromkeys(files.values()))]
    for key in (_size, _tail, _whole):
        finer: list[list[Path]] = []
        for group in groups:
            found = defaultdict(list)
            for path in group:
                found[_or_itself(key, path)].append(path)
            for value, equal in found.items():
                keys |= dict.fromkeys(equal, value if len(equal) > 1 else (equal[0],))
            finer += [equal for equal in found.values() if len(equal) > 1]
        groups = finer
    return {path: keys[file] for path, file in files.items()}


def _or_itself(key: Callable[[Path], object], path: Path) -> object:
    try:
        return key(path) or (path,)
    except OSError:
        return (path,)


def _size(path: Path) -> int:
    return path.stat().st_size


def _tail(path: Path) -> bytes:
    with path.open("rb") as file:
        file.seek(max(0, path.stat().st_size - TAIL))
        return hashlib.sha256(file.read()).digest()


def _whole(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
