"""The recipe that owns a run folder, and the lock of the process that works in it."""

import contextlib
import fcntl
import os
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from wsseg.artifacts import write_json
from wsseg.errors import InputError
from wsseg.file_names import DATA, LOCK, OWNER
from wsseg.recipe import Recipe, built_in, to_plain
from wsseg.recipe.of_run import folder_of_paths, read_owner

Source = tuple[str | None, list[str]]
"""File or name of a recipe, or None for the defaults; and the options of the command line that override it."""


@contextlib.contextmanager
def locked(run: Path) -> Iterator[None]:
    """Lock the run folder against other processes. The lock ends with the process.

    Raises:
        InputError: The folder cannot be written, or another process works in it.
    """
    try:
        run.mkdir(parents=True, exist_ok=True)
        file = (run / LOCK).open("w")
    except OSError as error:
        raise InputError(
            f"run folder {run} cannot be written ({error.strerror}); choose another with --run"
        ) from error
    with file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise InputError(
                f"another wsseg process works in {run}; wait for it or choose another --run"
            ) from None
        yield


def check_owner(recipe: Recipe, run: Path) -> None:
    """Raise an error if the run folder belongs to another recipe, or is not a run folder.

    Raises:
        InputError: The message names the recipe that owns the folder.
    """
    owner = run / OWNER
    if owner.exists():
        name = read_owner(run)["name"]
        if name != recipe.name:
            raise InputError(
                f"run folder {run} was made by the recipe `{name}`, not `{recipe.name}`; choose another with "
                "--run"
            )
    elif run.is_dir() and not all(map(_is_leftover, run.iterdir())):
        raise InputError(f"{run} is not empty and is not a run folder; choose another folder with --run")


def _is_leftover(path: Path) -> bool:
    """Whether a file of a run folder without a recipe is from a run that was killed before it wrote the recipe."""
    if path.name == DATA and path.is_dir():
        return all(inner.suffix in (".json", ".partial") for inner in path.iterdir())
    return path.name == LOCK or (path.name.startswith(f".{OWNER}.") and path.suffix == ".partial")


def claim(recipe: Recipe, run: Path, source: Source, planned: Mapping[str, Any] | None = None) -> None:
    """Assign a run folder to a recipe, or check that it belongs to it.

    `recipe.json` keeps the options and their source, so that `wsseg status RUN` notices a recipe file that was edited
    later; and the working folder, from which relative paths in them are found again (`working_folder`).

    Args:
        recipe: The recipe, with values for all options.
        run: Run folder.
        source: Where the recipe is from.
        planned: Options that were `auto`, and the values that the data gave them.

    Raises:
        InputError: The folder belongs to a recipe with another name, or holds other files.
    """
    check_owner(recipe, run)
    owner = run / OWNER
    named = source[0] is None or built_in.is_name(source[0])
    file = source[0] if named else str(Path(source[0]).resolve())
    here = Path.cwd()
    content = {
        "name": recipe.name,
        "file": file,
        "overrides": source[1],
        "options": to_plain(recipe),
        "working_folder": [os.path.relpath(here, run.resolve()), str(here)],
    }
    write_json(owner, content | ({"planned": to_plain(dict(planned))} if planned else {}))
    for left in run.glob(f".{OWNER}.*.partial"):  # of a process that was killed; this one has the lock
        left.unlink()


@contextlib.contextmanager
def working_folder(run: Path) -> Iterator[None]:
    """Work in the folder from which a run's relative paths are found; see `wsseg.recipe.of_run.folder_of_paths`."""
    folder = folder_of_paths(run)
    with contextlib.nullcontext() if folder is None else contextlib.chdir(folder):
        yield


def source_of(run: Path, overrides: Sequence[str] = ()) -> Source:
    """Return the recipe of a run folder's last run, its file or name, and the options that override it.

    If the file is gone, it is `recipe.json`, which keeps the options of the last run.

    Args:
        run: Run folder.
        overrides: Options that override those of the last run.

    Raises:
        InputError: `run` is not a run folder.
    """
    known = read_owner(run)
    file = built_in.remembered(known["file"]) if known["file"] else None
    if file is None or built_in.is_name(file) or Path(file).exists() or "options" not in known:
        return file, [*known["overrides"], *overrides]
    print(f"wsseg: {file} is gone; the options that {run / OWNER} keeps take its place", file=sys.stderr)
    return str((run / OWNER).resolve()), [*overrides]
