"""Hashes of the data's files, by which an image or mask is noticed that was replaced by another of the same size.

A file of the known size and time is not read. Each change of a file gets the next revision number, and the hash from
before is kept. So a stage that remembers the revision at which it was made can name the files that changed since.
"""

import hashlib
import json
import os
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from wsseg.artifacts import read_json, write_atomically
from wsseg.datasets import Dataset, Record
from wsseg.errors import InputError
from wsseg.progress import bar


class Contents:
    """Hashes of files by id, in sections such as the images of a split.

    Args:
        path: JSON file that keeps the hashes. It may not exist yet.

    Raises:
        InputError: The file is broken.
    """

    def __init__(self, path: Path):
        self.path = path
        self._read_at = _stat(path)
        content = read_json(path) if path.exists() else {"revision": 0, "sections": {}}
        if not _is_contents(content):
            raise InputError(f"{path} does not hold the hashes of a run's data; delete it and run again")
        self.revision: int = content["revision"]
        self._sections: dict[str, dict[str, dict[str, Any]]] = content["sections"]
        self._checked: dict[str, set[str]] = {}
        self._touched = self._changed = False

    def changed_since(self, section: str, files: Mapping[str, Path], revision: int) -> list[Path]:
        """Return the files that had another content at a revision. Unknown files do not count.

        Args:
            section: Name of the section.
            files: Id -> file.
            revision: Revision with which the files are compared.
        """
        self._check(section, files)
        several = {
            id: entry["hashes"]
            for id, entry in self._sections.get(section, {}).items()
            if len(entry["hashes"]) > 1
        }
        result = []
        for id in [id for id in files if id in several] if several else ():
            then = [found for number, found in several[id] if number <= revision]
            if then and then[-1] != several[id][-1][1]:
                result.append(files[id])
        return result

    def _check(self, section: str, files: Mapping[str, Path]) -> None:
        """Compare the known files with their sizes and times, once; hash those that differ."""
        known = self._sections.get(section, {})
        checked = self._checked.setdefault(section, set())
        new = (files.keys() & known.keys()) - checked
        checked |= new
        differ = {}
        for id in [id for id in files if id in new] if new else ():
            found = _stat(files[id])
            if found is not None and found != (known[id]["size"], known[id]["mtime_ns"]):
                differ[id] = files[id]
        self._hash(section, differ, f"comparing {section}")

    def add(self, section: str, files: Mapping[str, Path]) -> None:
        """Hash the files that are not known yet."""
        known = self._sections.get(section, {})
        self._hash(section, {id: path for id, path in files.items() if id not in known}, f"hashing {section}")

    def add_one(self, section: str, id: str, path: Path) -> None:
        """Hash one file, as part of a pass that reads it anyway."""
        self._set(section, id, _identity(path))
        self._checked.setdefault(section, set()).add(id)

    def _hash(self, section: str, files: Mapping[str, Path], text: str) -> None:
        if not files:
            return
        paths = list(dict.fromkeys(files.values()))  # images may share one file of annotations
        found = {}
        with bar(text, len(paths), "files") as advance, ThreadPoolExecutor(os.cpu_count() or 1) as pool:
            for path, identity in zip(paths, pool.map(_identity, paths), strict=True):
                found[path] = identity
                advance()
        for id, path in files.items():
            self._set(section, id, found[path])
        self._end_of_pass()

    def _set(self, section: str, id: str, found: tuple[int, int, str] | None) -> None:
        if found is None:
            return  # it is missing or cannot be read, which is said where it is used
        size, mtime_ns, content = found
        known = self._sections.setdefault(section, {}).get(id)
        hashes = [] if known is None else known["hashes"]
        if not hashes:
            hashes = [[self.revision, content]]
        elif hashes[-1][1] != content:
            hashes = [*hashes, [self.revision + 1, content]]
            self._changed = True
        self._sections[section][id] = {"size": size, "mtime_ns": mtime_ns, "hashes": hashes}
        self._touched = True

    def _end_of_pass(self) -> None:
        newest = max(
            (entry["hashes"][-1][0] for section in self._sections.values() for entry in section.values()),
            default=0,
        )
        self.revision = max(self.revision, newest)

    @property
    def only_times_differ(self) -> bool:
        """Whether there is something to save, and it is no more than files with another time and an equal hash."""
        return self._touched and not self._changed

    def save(self) -> None:
        """Write the hashes if they have changed; the caller holds the lock of the run folder."""
        self._end_of_pass()
        if self._touched:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            text = json.dumps({"revision": self.revision, "sections": self._sections})
            write_atomically(self.path, lambda file: file.write(text.encode()))
            self._read_at = _stat(self.path)
            self._touched = self._changed = False

    def save_times(self) -> None:
        """Write the times unless a file changed, or another process has written since."""
        if self.only_times_differ and _stat(self.path) == self._read_at:
            self.save()


def _is_contents(content: Any) -> bool:
    """Tell whether the content of a JSON file has the form that `Contents.save` writes."""
    try:
        return type(content["revision"]) is int and all(
            {"size", "mtime_ns"} <= set(entry)
            and bool(entry["hashes"])
            and all(type(number) is int and isinstance(text, str) for number, text in entry["hashes"])
            for section in content["sections"].values()
            for entry in section.values()
        )
    except (AttributeError, KeyError, TypeError, ValueError):
        return False


def sections_of(dataset: Dataset, split: str, masks: bool) -> dict[str, dict[str, Path]]:
    """Return the files of a split: section -> id -> file.

    Args:
        dataset: Records of the split.
        split: Name of the split.
        masks: Whether masks and instances count.
    """
    readers: dict[str, Callable[[Record], Path | None]] = {f"{split} images": lambda record: record.image}
    if masks:
        readers[f"{split} masks"] = lambda record: record.mask
        readers[f"{split} instances"] = lambda record: record.instances
    return {
        section: {record.id: path for record in dataset if (path := read(record)) is not None}
        for section, read in readers.items()
    }


def _stat(path: Path) -> tuple[int, int] | None:
    """Return the size and time of a file; None if it is missing."""
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_size, found.st_mtime_ns


def _identity(path: Path) -> tuple[int, int, str] | None:
    """Return the size, time and hash of a file; None if it cannot be read."""
    found = _stat(path)
    try:
        with path.open("rb") as file:
            content = hashlib.file_digest(file, "sha256").hexdigest()
    except OSError:
        return None
    return None if found is None else (*found, content)
