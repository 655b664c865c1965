"""Run stages: skip stages that are done, say why a stage reruns, and resume a stopped stage.

A stage works in `FOLDER.partial`. When it is done, its manifest is written there and the folder is renamed. So a stage
is complete if and only if its manifest exists. A stopped stage leaves its partial folder. The next run continues from
it if the stage's definition has not changed.
"""

import contextlib
import importlib.metadata
import platform
import re
import resource
import shutil
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from wsseg.artifacts import Manifest, read_json, write_json
from wsseg.engine.definitions import Definitions, why_stale
from wsseg.engine.preflight.parts import check_parts
from wsseg.engine.run_folder import Source, check_owner, claim, locked
from wsseg.errors import InputError
from wsseg.file_names import DATA, DEFINITION, MANIFEST
from wsseg.recipe import Recipe
from wsseg.stages import STAGES, inputs_of, plan
from wsseg.supervision.splits import Splits

LIBRARIES = ("wsseg", "tensorflow", "keras", "keras-cv", "numpy", "numba", "pydensecrf2", "scikit-image")

RESUMES = "begun, will resume"
"""Why a stage that is next or waiting will not start from nothing."""


def say_line(line: str) -> None:
    """Print a line and flush it, so that a log shows it at once."""
    print(line, flush=True)


@dataclass(frozen=True)
class State:
    """Status of a stage.

    Attributes:
        stage: Name of the stage.
        status: Status: done, stale, next (its inputs are done) or waiting.
        why: Reason why the stage is stale, or whether a begun stage will resume.
    """

    stage: str
    status: str
    why: str = ""


def states(recipe: Recipe, run: Path) -> list[State]:
    """Return the status of each stage of a run.

    Args:
        recipe: Recipe with which the run is compared.
        run: Run folder; it may not exist yet.
    """
    return states_of(Definitions(Splits(recipe, run / DATA)), run)


def states_of(definitions: Definitions, run: Path) -> list[State]:
    """Return the status of each stage of a run from the definitions that the recipe gives."""
    recipe = definitions.recipe
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
            begun = definition_of_partial(run / f"{STAGES[name].folder}.partial")
            why = RESUMES if begun == new else "begun with other options or data, will start again"
            result.append(State(name, "next" if ready else "waiting", "" if begun is None else why))
    return result


def plan_lines(definitions: Definitions, run: Path) -> list[str]:
    """Return a heading and one line per stage: whether it is done, and what it will do."""
    recipe, images = definitions.recipe, len(definitions.splits.train())
    lines = [f"plan of `{recipe.name}` in {run}:"]
    for state in states_of(definitions, run):
        words = {"done": "done", "stale": "will rerun"}.get(state.status, "will run")
        words = "resumes" if state.why == RESUMES else words
        lines.append(
            f"  {state.stage:<18} {words:<10}  {STAGES[state.stage].plan_line(recipe, images)}".rstrip()
        )
    return lines


def definition_of_partial(partial: Path) -> dict[str, Any] | None:
    """Return the definition of a stopped stage: {} if it had not been written yet, None if no stage was begun."""
    if not partial.is_dir():
        return None
    finished = Manifest.load(partial)
    if finished is not None:
        return finished.definition
    return read_json(partial / DEFINITION) if (partial / DEFINITION).exists() else {}


def run(
    recipe: Recipe,
    run_folder: Path,
    only: str | None = None,
    say: Callable[[str], None] = say_line,
    source: Source = (None, []),
) -> None:
    """Run the stages of a recipe that are not done.

    Args:
        recipe: Recipe to run.
        run_folder: Run folder; created if needed.
        only: Name of the only stage to run, whose inputs must be done; None for all stages.
        say: Function that is called with each line for the user.
        source: File of the recipe, and the options that override it.

    Raises:
        InputError: The input is wrong. Computed files are kept, and the same call resumes.
    """
    if only is not None and only not in plan(recipe):
        raise InputError(f"recipe `{recipe.name}` has no stage `{only}`; it has {', '.join(plan(recipe))}")
    check_owner(recipe, run_folder)  # before the lock file, which must not be written into a foreign folder
    splits = Splits(recipe, run_folder / DATA)
    definitions = Definitions(splits)
    for name in plan(recipe):
        definitions.of(name)  # opens all data, so missing data is reported now and not hours later
    names = [only] if only else plan(recipe)
    with locked(run_folder):
        # The folder keeps the recipe for later calls, so a recipe that cannot work must fail before `claim`.
        check_owner(recipe, run_folder)
        if not all(is_done(definitions, name, run_folder) for name in names):
            check_parts(splits)
        if only and not is_done(definitions, only, run_folder):
            check_inputs(definitions, only, run_folder)
        claim(recipe, run_folder, source)
        if only is None and not all(is_done(definitions, name, run_folder) for name in names):
            for line in plan_lines(definitions, run_folder):
                say(line)
        for name in names:
            run_stage(definitions, name, run_folder, say)


def is_done(definitions: Definitions, name: str, run: Path) -> bool:
    """Return whether a stage is complete and has the definition that the recipe gives."""
    manifest = Manifest.load(run / STAGES[name].folder)
    return manifest is not None and manifest.definition == definitions.of(name)


def check_inputs(definitions: Definitions, name: str, run: Path) -> None:
    """Raise an error unless all input stages of a stage are done."""
    for other in inputs_of(definitions.recipe, name):
        if not is_done(definitions, other, run):
            raise InputError(f"stage `{name}` needs `{other}` first; run `wsseg {other}` or `wsseg run`")


def run_stage(definitions: Definitions, name: str, run: Path, say: Callable[[str], None]) -> Manifest:
    """Run one stage unless it is done.

    Returns:
        The stage's manifest.

    Raises:
        InputError: An input stage is not done, or the stage found a wrong input.
    """
    stage, definition = STAGES[name], definitions.of(name)
    final = run / stage.folder
    old = Manifest.load(final)
    if old is not None and old.definition == definition:
        say(f"{name}: done already, skipped")
        return old
    check_inputs(definitions, name, run)
    inputs = {other: run / STAGES[other].folder for other in inputs_of(definitions.recipe, name)}
    if old is not None:
        say(f"{name}: reruns: {why_stale(old.definition, definition)}")

    partial = run / f"{stage.folder}.partial"
    begun = definition_of_partial(partial)
    resumed = begun == definition
    start = time.monotonic()
    try:
        if resumed:
            if (finished := Manifest.load(partial)) is not None:
                # The stage was stopped between its last write and the renaming.
                _replace(partial, final)
                say(f"{name}: done already, by the run that was stopped")
                return finished
            say(f"{name}: resumes")
            for path in partial.rglob(".*.partial"):
                path.unlink(missing_ok=True)  # a file that a killed process was writing
        else:
            if begun is not None:
                why = f" ({why_stale(begun, definition)})" if begun else ""
                say(f"{name}: starts again; the files of a stopped run do not fit this recipe{why}")
                shutil.rmtree(partial)
            partial.mkdir()
            write_json(partial / DEFINITION, definition)
        outcome = stage.run(definitions.recipe, definitions.splits, inputs, partial)
        manifest = Manifest(
            stage=name,
            definition=definition,
            counts=outcome.counts,
            set_aside=outcome.set_aside,
            versions=versions(),
            wall_seconds=round(time.monotonic() - start, 1),
            resumed=resumed,
            peak_memory_mb=round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024, 1),
            warnings=list(outcome.warnings),
        )
        manifest.save(partial)
        _replace(partial, final)
    except (InputError, BrokenPipeError):  # nobody reads what is said any more: no fault of a file
        raise
    except OSError as error:
        raise InputError(
            f"stage `{name}` cannot read or write {error.filename or final}: {error.strerror or error}; "
            "free some space or choose another --run; what was computed is kept, and the same command resumes"
        ) from error
    except Exception as error:
        # TensorFlow turns an error of a loading thread into its own error, which keeps only the text.
        found = re.search(r"^wsseg\.errors\.InputError: (.+)$", str(error), re.MULTILINE)
        if found is None:
            raise
        raise InputError(found[1]) from error
    aside = f"; {len(outcome.set_aside)} set aside (see {final / MANIFEST})" if outcome.set_aside else ""
    say(f"{name}: {outcome.line}{aside}; {manifest.wall_seconds:.0f} s; {final}")
    for warning in outcome.warnings:
        say(f"warning: {name}: {warning}")
    return manifest


def _replace(partial: Path, final: Path) -> None:
    """Replace `final` by `partial`. At no moment is `final` incomplete."""
    outdated = final.with_name(f"{final.name}.old")
    shutil.rmtree(outdated, ignore_errors=True)
    (partial / DEFINITION).unlink(missing_ok=True)
    if final.exists():
        final.rename(outdated)
    partial.rename(final)
    shutil.rmtree(outdated, ignore_errors=True)


def versions() -> dict[str, str]:
    """Return the versions of Python and of the libraries that a result depends on."""
    result = {"python": platform.python_version(), "platform": sys.platform}
    for library in LIBRARIES:
        with contextlib.suppress(importlib.metadata.PackageNotFoundError):
            result[library] = importlib.metadata.version(library)
    return result
