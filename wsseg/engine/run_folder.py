"""Whose a run folder is, and who works in it."""

import contextlib
import fcntl
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from wsseg.artifacts import read_json, write_json
from wsseg.errors import InputError
from wsseg.file_names import LOCK, OWNER
from wsseg.recipe import Recipe, built_in, to_plain

Source = tuple[str | None, list[str]]
"""A recipe's file or name, or None for the defaults, and the options of the command line that win over it."""


@contextlib.contextmanager
def locked(run: Path) -> Iterator[None]:
    """Keep a second process out of the run folder; the lock dies with the process.

    Raises:
        InputError: The folder can't be written, or another process works in it.
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
    """Fail where the run folder is another recipe's, or not a run folder at all.

    Raises:
        InputError: The message says whose it is.
    """
    owner = run / OWNER
    if owner.exists():
        name = read_owner(run)["name"]
        if name != recipe.name:
            raise InputError(
                f"run folder {run} was made by the recipe `{name}`, not `{recipe.name}`; choose another with "
                "--run"
            )
    elif run.is_dir() and any(path.name != LOCK for path in run.iterdir()):
        raise InputError(f"{run} is not empty and not a run folder; choose another with --run")


def read_owner(run: Path) -> dict[str, Any]:
    """Read `recipe.json`.

    Raises:
        InputError: It is not there, or is not what `claim` writes.
    """
    owner = run / OWNER
    if not owner.exists():
        raise InputError(
            f"{run} is not a run folder: it has no {OWNER}; start one with `wsseg run RECIPE --run {run}`"
        )
    known = read_json(owner)
    if not isinstance(known, dict) or not {"name", "file", "overrides"} <= set(known):
        raise InputError(f"{owner} is not a run's; choose another folder with --run")
    return known


def claim(recipe: Recipe, run: Path, source: Source) -> None:
    """Make a run folder this recipe's, or check that it is.

    The options are kept in `recipe.json`, and where they came from, so that `wsseg status RUN` sees a recipe
    file that was edited since.

    Raises:
        InputError: The folder belongs to a recipe of another name, or holds other things.
    """
    check_owner(recipe, run)
    owner = run / OWNER
    named = source[0] is None or built_in.is_name(source[0])
    file = source[0] if named else str(Path(source[0]).resolve())
    write_json(
        owner, {"name": recipe.name, "file": file, "overrides": source[1], "options": to_plain(recipe)}
    )


def source_of(run: Path, overrides: Sequence[str] = ()) -> Source:
    """Return the recipe that a run folder was last run with, its file or name, and the options over it.

    Args:
        run: The run folder.
        overrides: Options that win over those of the last run.

    Raises:
        InputError: `run` is not a run folder.
    """
    known = read_owner(run)
    return built_in.remembered(known["file"]) if known["file"] else None, [*known["overrides"], *overrides]
