"""The files that a stage made: a list in the stage's folder, by which a missing or changed file is noticed.

A file of the listed size and time is unchanged, and is not read. Only a file of another time is hashed. Files that are
not listed, which a user has added, do not count.
"""

import contextlib
import hashlib
import os
import shlex
import shutil
import stat
from collections.abc import Collection, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from wsseg.artifacts import digest, read_json, write_json
from wsseg.errors import InputError
from wsseg.file_names import DEFINITION, HISTORY, MADE_FILES, MANIFEST, MASKS, TENSORBOARD
from wsseg.progress import bar

OWN = (MANIFEST, MADE_FILES, DEFINITION)
"""Files of the engine in a stage's folder. They are not listed."""

NOT_MADE = "not_made"
"""Key of `definition.json`: files that lay in a reopened folder although the stage had not made them."""


@dataclass(frozen=True)
class Damage:
    """Files of a stage that are no longer as the stage made them. It is false if there is none.

    Attributes:
        missing: Paths of the missing files, relative to the stage's folder.
        changed: Paths of the files with another content.
    """

    missing: tuple[str, ...] = ()
    changed: tuple[str, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.missing or self.changed)

    @property
    def learnt(self) -> bool:
        """Whether a network or its history is damaged, from which the other files of the stage were made."""
        return any(path.endswith((".keras", HISTORY)) for path in (*self.missing, *self.changed))

    @property
    def edited_masks(self) -> tuple[str, ...]:
        """Paths of the changed masks."""
        return tuple(path for path in self.changed if path.startswith(f"{MASKS}/") and path.endswith(".png"))

    def describe(self, folder: str, run: Path | None = None) -> str:
        """Describe the damage in one line.

        Args:
            folder: Name of the stage's folder.
            run: Run folder, for the command that uses edited masks; None for `RUN`.

        Example:
            >>> Damage(missing=("masks/a.png",)).describe("4_label")
            '`4_label/masks/a.png` is missing; it will be made again'
        """
        changed = _clause(folder, self.changed, "was changed since", "were changed since")
        missing = _clause(folder, self.missing, "is missing", "are missing")
        made = "it will be made again" if len(self.changed + self.missing) == 1 else "they will be made again"
        advice = " (copy a changed file elsewhere if you want to keep it)" if self.changed else ""
        if self.edited_masks:
            command = f"wsseg correct {'RUN' if run is None else shlex.quote(str(run))} --edited"
            advice = f" (to use edited masks from now on, first call `{command}`)"
        return f"{' and '.join(filter(None, (changed, missing)))}; {made}{advice}"


def _clause(folder: str, paths: Collection[str], one: str, several: str) -> str:
    if not paths:
        return ""
    first = f"`{folder}/{min(paths)}`"
    return f"{first} {one}" if len(paths) == 1 else f"{first} and {len(paths) - 1} more {several}"


class MadeFiles:
    """The list of a stage's files, as it is in the stage's folder.

    Args:
        folder: Folder of a stage. If it has no list, as in runs from before this list, no file is checked.

    Attributes:
        broken: Whether there is a list that cannot be read.
    """

    def __init__(self, folder: Path):
        self.folder = folder
        try:
            self._content, self.broken = _read(folder), False
        except InputError:
            self._content, self.broken = None, True
        self.touched: dict[str, int] = {}
        self._damage: Damage | None = None

    @property
    def digest(self) -> str | None:
        """Digest of the files' paths and contents; None if there is no list."""
        return None if self._content is None else self._content["digest"]

    def damage(self) -> Damage:
        """Compare the folder with the list. The result is kept.

        Raises:
            InputError: A file of another time cannot be read.
        """
        if self._damage is None:
            self._damage = self._compared()
        return self._damage

    def distrust(self) -> tuple[str, ...]:
        """Hash every file, whatever its time. One that differs gets the time of now, so that it counts as changed.

        A file can be damaged on the disk without another time or size, and be found when it is read.

        Returns:
            Paths of the files that differ, relative to the stage's folder.

        Raises:
            InputError: A file cannot be read, or its time cannot be set.
        """
        listed = (self._content or {"files": {}})["files"]
        paths = [
            path for path, entry in listed.items() if "link" not in entry and (self.folder / path).is_file()
        ]
        hashes = _hashes(self.folder, paths, f"checking {self.folder.name}")
        damaged = tuple(path for path, found in hashes if found != listed[path]["sha256"])
        for path in damaged:
            try:
                os.utime(self.folder / path)
            except OSError as error:
                raise InputError(
                    f"{self.folder / path} is damaged ({error.strerror}); delete it and run again"
                ) from error
        self._damage = None
        return damaged

    def _compared(self) -> Damage:
        missing, changed, touched = [], [], {}
        for path, entry in (self._content or {"files": {}})["files"].items():
            try:
                found = os.lstat(f"{self.folder}/{path}")
            except OSError:
                missing.append(path)
                continue
            if "link" in entry:
                same = stat.S_ISLNK(found.st_mode) and str((self.folder / path).readlink()) == entry["link"]
            else:
                same = stat.S_ISREG(found.st_mode) and found.st_size == entry["size"]
                if same and found.st_mtime_ns != entry["mtime_ns"]:
                    touched[path] = found.st_mtime_ns
            if not same:
                changed.append(path)
        for path, found in _hashes(self.folder, touched, f"checking {self.folder.name}"):
            if found == self._content["files"][path]["sha256"]:
                self.touched[path] = touched[path]
            else:
                changed.append(path)
        return Damage(tuple(missing), tuple(changed))

    def remember_times(self) -> None:
        """Write the times of files that were found equal by their hash, so that they are not hashed again.

        The caller holds the lock of the run folder. A folder that cannot be written is no error.
        """
        if self.touched and _read(self.folder) == self._content:
            for path, mtime_ns in self.touched.items():
                self._content["files"][path]["mtime_ns"] = mtime_ns
            self.touched = {}
            with contextlib.suppress(InputError):
                write_json(self.folder / MADE_FILES, self._content)


def write_made_files(
    folder: Path, inputs_made: Mapping[str, str | None], without: Collection[str] = ()
) -> None:
    """Write the list of the files in a stage's folder, once their contents are on the disk.

    Links are listed as links and not followed. They lead into input stages, so the digest then covers those, too.

    Args:
        folder: Folder of the finished stage.
        inputs_made: Input stage -> digest of its files.
        without: Paths that are not listed, because the stage did not make them.
    """
    files: dict[str, dict[str, Any]] = {}
    for path in sorted(set(_walk(folder)) - {*without}):
        found = os.lstat(folder / path)
        if stat.S_ISLNK(found.st_mode):
            files[path] = {"link": str((folder / path).readlink())}
        else:
            files[path] = {"size": found.st_size, "mtime_ns": found.st_mtime_ns}
    real = [path for path in files if "link" not in files[path]]
    for path, content in _hashes(folder, real, f"listing {folder.name}", durable=True):
        files[path]["sha256"] = content
    contents = [[path, entry.get("link") or entry["sha256"]] for path, entry in files.items()]
    links = any("link" in entry for entry in files.values())
    made = digest([contents, dict(inputs_made)] if links else contents)
    write_json(folder / MADE_FILES, {"digest": made, "files": files})


def reopen(
    folder: Path, partial: Path, damage: Damage, definition: Mapping[str, Any], copy: bool = False
) -> None:
    """Make a finished folder a stopped stage that lacks the damaged files.

    If files were changed, or with `copy`, the folder itself stays as it is until the new one is whole.

    Args:
        folder: Folder of the finished stage.
        partial: Folder of the stopped stage, which does not exist.
        damage: Files that are no longer as the stage made them.
        definition: Content of the stopped stage's `definition.json`.
        copy: Whether the finished folder must stay, because the new one will differ from it.
    """
    not_made = sorted(set(_walk(folder)) - set(_read(folder)["files"]))
    content = dict(definition) | {NOT_MADE: not_made}
    if damage.changed or copy:
        shutil.copytree(folder, partial, symlinks=True, ignore=lambda _, names: {*OWN} & {*names})
        drop(partial, damage)
        write_json(partial / DEFINITION, content)  # last: a half copied folder is not resumed
    else:
        write_json(folder / DEFINITION, content)
        folder.rename(partial)
        drop(partial, damage)


def drop(partial: Path, damage: Damage) -> None:
    """Remove the manifest, the list and the damaged files from a folder, in this order."""
    (partial / MANIFEST).unlink(missing_ok=True)
    (partial / MADE_FILES).unlink(missing_ok=True)
    for path in damage.changed:
        if (partial / path).is_dir() and not (partial / path).is_symlink():
            shutil.rmtree(partial / path)
        else:
            (partial / path).unlink(missing_ok=True)


def free_name(folder: Path, word: str = "edited") -> Path:
    """Return `FOLDER.edited`, or `FOLDER.edited_2` and so on if it exists."""
    path, number = folder.with_name(f"{folder.name}.{word}"), 2
    while path.exists():
        path, number = folder.with_name(f"{folder.name}.{word}_{number}"), number + 1
    return path


def _read(folder: Path) -> dict[str, Any] | None:
    path = folder / MADE_FILES
    if not path.exists():
        return None
    content = read_json(path)
    if (
        not isinstance(content, dict)
        or not isinstance(content.get("digest"), str)
        or not isinstance(content.get("files"), dict)
        or not all(
            isinstance(entry, dict) and ("link" in entry or {"size", "mtime_ns", "sha256"} <= entry.keys())
            for entry in content["files"].values()
        )
    ):
        raise InputError(f"{path} is not a list of a stage's files; delete {folder} and run again")
    return content


def _walk(folder: Path, inner: str = "") -> Iterator[str]:
    """Yield the relative paths of the files and links in a folder, without hidden files and the engine's own.

    TensorBoard's event files contain the time of day, and no stage reads them, so they are not listed either.
    """
    with os.scandir(folder / inner) as entries:
        for entry in entries:
            path = f"{inner}{entry.name}"
            if entry.is_dir(follow_symlinks=False):
                if entry.name == TENSORBOARD:
                    continue
                yield from _walk(folder, f"{path}/")
            elif not entry.name.startswith(".") and path not in OWN:
                yield path


def _hashes(
    folder: Path, paths: Collection[str], text: str, durable: bool = False
) -> Iterable[tuple[str, str]]:
    if not paths:
        return []

    def sha256(path: str) -> str:
        try:
            with (folder / path).open("rb") as file:
                if durable:
                    os.fsync(file.fileno())
                return hashlib.file_digest(file, "sha256").hexdigest()
        except OSError as error:
            raise InputError(
                f"{folder / path} cannot be read ({error.strerror}); make it readable, or delete it: "
                "it is then made again"
            ) from error

    found = []
    with bar(text, len(paths), "files") as advance, ThreadPoolExecutor(os.cpu_count() or 1) as pool:
        for pair in zip(paths, pool.map(sha256, paths), strict=True):
            found.append(pair)
            advance()
    return found
