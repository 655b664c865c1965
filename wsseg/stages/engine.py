"""Run stages: skip what is done, say why something reruns, resume what was stopped.

A stage works in `FOLDER.partial` and the folder is renamed when it is done, manifest inside: so a stage is
complete if and only if its manifest exists. A stopped stage leaves its partial folder, which the next run goes
on with if the stage's definition is still the same.
"""

import contextlib
import fcntl
import functools
import importlib
import importlib.metadata
import platform
import resource
import shutil
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from wsseg.artifacts import Manifest, digest, read_json, write_json
from wsseg.config import Recipe, load_recipe, to_plain
from wsseg.errors import InputError
from wsseg.stages import STAGES, Outcome, data, inputs_of, plan

DEFINITION = "definition.json"
LIBRARIES = ("wsseg", "tensorflow", "keras", "keras-cv", "numpy", "pydensecrf2", "scikit-image")
# Where the data lies and how many processes work do not change what comes out.
NOT_IDENTITY = {"dataset": ("root",), "label": ("workers",), "classify": ("weights",), "segment": ("weights",)}


Source = tuple[str | None, list[str]]


def say_line(line: str) -> None:
    """Print a line at once, also into a log."""
    print(line, flush=True)


@dataclass(frozen=True)
class State:
    """Where a stage stands.

    Attributes:
        stage: Its name.
        status: done, stale, next (its inputs are there) or waiting.
        why: Why it is stale, or what was begun.
    """

    stage: str
    status: str
    why: str = ""


class Definitions:
    """What each stage of a recipe is made from, down to the data; computed once for each stage.

    Args:
        recipe: The validated recipe.
    """

    def __init__(self, recipe: Recipe):
        self.recipe = recipe
        self._plain = to_plain(recipe)
        self._fingerprint = functools.cache(lambda part: data.fingerprint(recipe, part))
        self.of = functools.cache(self._of)

    def _section(self, dotted: str) -> Any:
        value: Any = self._plain
        for part in dotted.split("."):
            value = value[part]
        left_out = NOT_IDENTITY.get(dotted, ())
        return {k: v for k, v in value.items() if k not in left_out} if isinstance(value, dict) else value

    def _of(self, name: str) -> dict[str, Any]:
        """Return the definition of a stage, as its manifest stores it."""
        stage = STAGES[name]
        definition: dict[str, Any] = {"options": {}, "data": {}, "inputs": {}}
        for section in stage.sections:
            definition["options"][section] = self._section(section)
        for section in ("classify", "segment"):
            if section in stage.sections:
                weights = getattr(self.recipe, section).weights
                definition["data"][f"{section}.weights"] = data.weights_fingerprint(weights)
        for part in stage.data:
            if (value := self._fingerprint(part)) is not None:
                definition["data"][part] = value
        if name == "ceiling":
            definition["options"]["segment"]["supervision"] = "masks"
        for other in inputs_of(self.recipe, name):
            definition["inputs"][other] = digest(self.of(other))
        return definition


def differences(old: Any, new: Any, name: str = "") -> list[str]:
    """Say how two definitions differ, one clause for each option.

    Example:
        >>> differences({"localize": {"scales": [1]}}, {"localize": {"scales": [0.5, 1]}})
        ['`localize.scales` changed from [1] to [0.5, 1]']
    """
    if isinstance(old, dict) and isinstance(new, dict):
        clauses = []
        for key in [*old, *(key for key in new if key not in old)]:
            clauses += differences(old.get(key), new.get(key), f"{name}.{key}" if name else key)
        return clauses
    return [] if old == new else [f"`{name}` changed from {old} to {new}"]


def why_stale(old: dict[str, Any], new: dict[str, Any]) -> str:
    """Say in one line why a finished stage no longer stands: options first, then data, then inputs."""
    clauses = differences(old.get("options", {}), new["options"])
    clauses += [f"the data changed: {c}" for c in differences(old.get("data", {}), new["data"])]
    if not clauses:
        changed = differences(old.get("inputs", {}), new["inputs"])
        names = [clause.split("`")[1] for clause in changed]
        clauses = [f"its input {' and '.join(names)} changed"]
    return "; ".join(clauses)


def states(recipe: Recipe, run: Path) -> list[State]:
    """Tell where each stage of a run stands.

    Args:
        recipe: What the run should be.
        run: The run folder; need not exist.
    """
    definitions = Definitions(recipe)
    result: list[State] = []
    done: set[str] = set()
    for name in plan(recipe):
        manifest = Manifest.load(run / STAGES[name].folder)
        new = definitions.of(name)
        ready = all(other in done for other in inputs_of(recipe, name))
        if manifest is not None and manifest.definition == new:
            done.add(name)
            result.append(State(name, "done"))
        elif manifest is not None:
            result.append(State(name, "stale", why_stale(manifest.definition, new)))
        else:
            begun = (run / f"{STAGES[name].folder}.partial").exists()
            result.append(State(name, "next" if ready else "waiting", "begun, will resume" if begun else ""))
    return result


@contextlib.contextmanager
def locked(run: Path) -> Iterator[None]:
    """Keep a second process out of the run folder; the lock dies with the process.

    Raises:
        InputError: The folder can't be written, or another process works in it.
    """
    try:
        run.mkdir(parents=True, exist_ok=True)
        file = (run / ".lock").open("w")
    except OSError as error:
        raise InputError(
            f"run folder {run} cannot be written ({error.strerror}); choose another with --run"
        ) from error
    with file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise InputError(f"another wsseg process works in {run}; wait for it or choose another --run") from None
        yield


def claim(recipe: Recipe, run: Path, source: Source) -> None:
    """Make a run folder this recipe's, or check that it is.

    The options are kept in `recipe.json`, and where they came from, so that `wsseg status RUN` sees a recipe
    file that was edited since.

    Raises:
        InputError: The folder belongs to a recipe of another name, or holds other things.
    """
    owner = run / "recipe.json"
    if owner.exists():
        name = read_json(owner)["name"]
        if name != recipe.name:
            raise InputError(
                f"run folder {run} was made by the recipe `{name}`, not `{recipe.name}`; choose another with --run"
            )
    elif any(path.name != ".lock" for path in run.iterdir()):
        raise InputError(f"{run} is not empty and not a run folder; choose another with --run")
    path = str(Path(source[0]).resolve()) if source[0] else None
    write_json(owner, {"name": recipe.name, "file": path, "overrides": source[1], "options": to_plain(recipe)})


def recipe_of(run: Path, overrides: Sequence[str] = ()) -> Recipe:
    """Return the recipe that a run folder was last run with, its file read anew.

    Args:
        run: The run folder.
        overrides: Options that win over those of the last run.

    Raises:
        InputError: `run` is not a run folder, or the recipe's file is gone.
    """
    owner = run / "recipe.json"
    if not owner.exists():
        raise InputError(f"{run} is not a run folder: it has no recipe.json; start one with `wsseg run --run {run}`")
    known = read_json(owner)
    return load_recipe(known["file"], [*known["overrides"], *overrides])


def run(
    recipe: Recipe,
    run_folder: Path,
    only: str | None = None,
    say: Callable[[str], None] = say_line,
    source: Source = (None, []),
) -> None:
    """Run the stages of a recipe that are not done.

    Args:
        recipe: What to do.
        run_folder: Where; made if needed.
        only: Run this stage alone; its inputs must be done.
        say: Called with each line for the user.
        source: The recipe's file and the options that were given over it.

    Raises:
        InputError: Bad input; whatever was computed is kept, and the same call resumes.
    """
    if only is not None and only not in plan(recipe):
        raise InputError(f"recipe `{recipe.name}` has no stage `{only}`; it has {', '.join(plan(recipe))}")
    definitions = Definitions(recipe)
    with locked(run_folder):
        claim(recipe, run_folder, source)
        for name in [only] if only else plan(recipe):
            run_stage(recipe, definitions, name, run_folder, say)


def run_stage(recipe: Recipe, definitions: Definitions, name: str, run: Path, say: Callable[[str], None]) -> Manifest:
    """Run one stage unless it is done.

    Returns:
        Its manifest.

    Raises:
        InputError: An input stage is not done, or the stage met bad input.
    """
    stage, definition = STAGES[name], definitions.of(name)
    final = run / stage.folder
    old = Manifest.load(final)
    if old is not None and old.definition == definition:
        say(f"{name}: done already, skipped")
        return old
    inputs = {"data": run / "data"}
    for other in inputs_of(recipe, name):
        manifest = Manifest.load(run / STAGES[other].folder)
        if manifest is None or manifest.definition != definitions.of(other):
            raise InputError(f"stage `{name}` needs `{other}` first; run `wsseg {other}` or `wsseg run`")
        inputs[other] = run / STAGES[other].folder
    if old is not None:
        say(f"{name}: reruns: {why_stale(old.definition, definition)}")

    partial = run / f"{stage.folder}.partial"
    resumed = False
    if partial.exists():
        begun = read_json(partial / DEFINITION) if (partial / DEFINITION).exists() else None
        resumed = begun == definition
        if resumed:
            say(f"{name}: resumes")
        else:
            shutil.rmtree(partial)
    start = time.monotonic()
    try:
        if not resumed:
            partial.mkdir()
            write_json(partial / DEFINITION, definition)
        module, function = stage.run.split(":")
        outcome: Outcome = getattr(importlib.import_module(module), function)(recipe, inputs, partial)
        manifest = Manifest(
            stage=name,
            definition=definition,
            counts=outcome.counts,
            set_aside=outcome.set_aside,
            versions=versions(),
            wall_seconds=round(time.monotonic() - start, 1),
            resumed=resumed,
            peak_memory_mb=round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024, 1),
        )
        manifest.save(partial)
        _replace(partial, final)
    except OSError as error:
        raise InputError(
            f"stage `{name}` cannot write to {error.filename or run}: {error.strerror or error}; free some space or "
            "choose another --run; what was already computed is kept, and the same command resumes"
        ) from error
    aside = f"; {len(outcome.set_aside)} set aside (see {final / Manifest.FILE})" if outcome.set_aside else ""
    say(f"{name}: {outcome.line}{aside}; {manifest.wall_seconds:.0f} s; {final}")
    return manifest


def _replace(partial: Path, final: Path) -> None:
    """Put `partial` in the place of `final`; at no moment does `final` hold a half."""
    outdated = final.with_name(f"{final.name}.old")
    shutil.rmtree(outdated, ignore_errors=True)
    if final.exists():
        final.rename(outdated)
    partial.rename(final)
    (final / DEFINITION).unlink()
    shutil.rmtree(outdated, ignore_errors=True)


def versions() -> dict[str, str]:
    """Return the versions of Python and of the libraries that a result depends on."""
    result = {"python": platform.python_version(), "platform": sys.platform}
    for library in LIBRARIES:
        with contextlib.suppress(importlib.metadata.PackageNotFoundError):
            result[library] = importlib.metadata.version(library)
    return result
