"""Run stages: skip stages that are done, say why a stage reruns, and resume a stopped stage.

A stage works in `FOLDER.partial`. When it is done, the list of its files and its manifest are written there and the
folder is renamed. So a stage is complete if and only if its manifest exists. A stopped stage leaves its partial folder.
The next run continues from it if neither the stage's definition nor its inputs have changed. A stage whose files were
deleted or edited becomes a stopped stage without these files; one for which only the user's corrections of single files
changed becomes a stopped stage that applies them.
"""

import contextlib
import importlib.metadata
import platform
import re
import resource
import shlex
import shutil
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from wsseg.artifacts import Manifest, to_disk, way_out, write_json
from wsseg.engine.data_plan import described, planned
from wsseg.engine.definitions import Definitions
from wsseg.engine.made_files import NOT_MADE, MadeFiles, drop, free_name, reopen, write_made_files
from wsseg.engine.preflight.parts import check_parts
from wsseg.engine.run_folder import Source, check_owner, claim, locked
from wsseg.engine.states import DATA_REVISION, INPUTS_MADE, RESUMES, State, States, begun_with
from wsseg.engine.time_left import TimeLeft, time_left_of
from wsseg.errors import InputError
from wsseg.file_names import DATA, DEFINITION, MANIFEST, MASKS
from wsseg.progress import in_words, part_of_run
from wsseg.recipe import Recipe
from wsseg.stages import STAGES, plan
from wsseg.supervision.splits import Splits

LIBRARIES = ("wsseg", "tensorflow", "keras", "keras-cv", "numpy", "numba", "pydensecrf2", "scikit-image")

NO_KERNEL = "could not create a primitive"
"""Words of oneDNN's error for an operation that it lacks or must not use, as under ONEDNN_MAX_CPU_ISA=AVX2."""


def say_line(line: str) -> None:
    """Print a line and flush it, so that a log shows it at once."""
    print(line, flush=True)


def states(recipe: Recipe, run: Path) -> list[State]:
    """Return the status of each stage of a run.

    Args:
        recipe: Recipe with which the run is compared.
        run: Run folder; it may not exist yet.
    """
    splits = Splits(recipe, run / DATA)
    recipe, _ = planned(recipe, splits)
    found = States(Definitions(splits.of(recipe)), run)
    result = found.all()
    found.remember_times_if_free()
    return result


def plan_lines(states: States) -> list[str]:
    """Return a heading and one line per stage: whether it is done, and what it will do."""
    recipe, images = states.definitions.recipe, len(states.definitions.splits.train())
    lines = [f"plan of `{recipe.name}` in {states.run}:"]
    for state in states.all():
        words = {"done": "done", "stale": "may rerun" if state.only_waits else "will rerun"}
        word = "resumes" if state.why == RESUMES else words.get(state.status, "will run")
        lines.append(
            f"  {state.stage:<18} {word:<10}  {STAGES[state.stage].plan_line(recipe, images)}".rstrip()
        )
    return lines


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
    recipe, chosen = planned(recipe, splits)
    splits = splits.of(recipe)
    definitions = Definitions(splits)
    for name in plan(recipe):
        definitions.of(name)  # opens all data, so missing data is reported now and not hours later
    names = [only] if only else plan(recipe)
    found = States(definitions, run_folder)
    with locked(run_folder):
        # The folder keeps the recipe for later calls, so a recipe that cannot work must fail before `claim`.
        check_owner(recipe, run_folder)
        if not all(found.done(name) for name in names):
            check_parts(splits)
            splits.check_scored()
        if only and not found.done(only):
            check_inputs(found, only)
        claim(recipe, run_folder, source, chosen)
        found.remember_times()
        if only is None and not all(found.done(name) for name in names):
            notes = [f"note: {note}" for note in splits.notes(("train", "val"))]
            for line in [*described(splits.train(), chosen), *plan_lines(found), *notes]:
                say(line)
        left = time_left_of(found) if only is None and not all(found.done(name) for name in names) else None
        with contextlib.nullcontext() if left is None else part_of_run(left):
            for name in names:
                run_mending(found, name, only is None, say, left)


def check_inputs(states: States, name: str) -> None:
    """Raise an error unless all input stages of a stage are done."""
    for other in states.inputs(name):
        if not states.done(other):
            raise InputError(f"stage `{name}` needs `{other}` first; run `wsseg {other}` or `wsseg run`")


def run_mending(
    states: States, name: str, others: bool, say: Callable[[str], None], left: TimeLeft | None = None
) -> None:
    """Run one stage. If it fails, and files of its inputs are damaged on the disk, make these again first.

    Such files have the size and the time that they had, so only reading them shows the damage.

    Args:
        states: States of the run's stages.
        name: Name of the stage.
        others: Whether its input stages may run too.
        say: Function that is called with each line for the user.
        left: See `run_stage`.

    Raises:
        InputError: See `run_stage`; or an input stage has damaged files and may not run.
    """
    try:
        run_stage(states, name, say, left)
        return
    except BrokenPipeError:
        raise
    except Exception as error:
        damaged = states.distrust_inputs(name) if states.of(name).status != "done" else {}
        if not damaged:
            raise
        words = ", ".join(f"{count} of `{other}`" for other, count in damaged.items())
        if not others:
            commands = " and ".join(f"`wsseg {other}`" for other in damaged)
            raise InputError(
                f"stage `{name}` cannot use what earlier stages made: files are damaged on the disk ({words}); run "
                f"{commands}, or `wsseg run`: they are then made again"
            ) from error
        say(f"{name}: stopped ({error}); files are damaged on the disk ({words}), and are made again")
    for other in plan(states.definitions.recipe):
        if other == name or states.of(other).status != "done":
            run_stage(states, other, say, left)
        if other == name:
            return


def run_stage(states: States, name: str, say: Callable[[str], None], left: TimeLeft | None = None) -> None:
    """Run one stage unless it is done.

    Args:
        states: States of the run's stages.
        name: Name of the stage.
        say: Function that is called with each line for the user.
        left: Estimate of the time left, which is told when the stage begins and ends; None for none.

    Raises:
        InputError: An input stage is not done, or the stage found a wrong input.
    """
    state = states.of(name)
    if state.status == "done":
        say(f"{name}: done already, skipped")
        return
    check_inputs(states, name)
    if state.status == "stale":
        say(f"{name}: reruns: {state.why}")
    stage, definition, inputs_made = STAGES[name], states.definitions.of(name), states.inputs_made(name)
    recipe, splits, final = states.definitions.recipe, states.definitions.splits, states.folder(name)
    inputs = {other: states.folder(other) for other in states.inputs(name)}
    partial = final.with_name(f"{final.name}.partial")
    start = time.monotonic()
    try:
        revision = states.data.revision(name)
        begin = definition | {INPUTS_MADE: inputs_made, DATA_REVISION: revision}
        resumed = open_partial(states, state, partial, begin, say)
        if left is not None:
            left.start(name)
        if Manifest.load(partial) is not None:
            # The stage was stopped between its last write and the renaming.
            _replace(partial, final, say)
            states.forget(name)
            if left is not None:
                left.finish(whole=False)
            say(f"{name}: done already, by the run that was stopped")
            return
        outcome = stage.run(recipe, splits, inputs, partial)
        manifest = Manifest(
            stage=name,
            definition=definition,
            counts=outcome.counts,
            set_aside=outcome.set_aside,
            versions=versions(),
            wall_seconds=round(time.monotonic() - start, 1),
            resumed=resumed,
            peak_memory_mb=round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024, 1),
            inputs_made=inputs_made,
            data_revision=revision,
            warnings=[*outcome.warnings, *splits.notes(stage.data_of(recipe))],
        )
        states.data.hash_new(name)
        write_made_files(partial, inputs_made, begun_with(partial).get(NOT_MADE, []))
        manifest.save(partial)
        _replace(partial, final, say)
        states.forget(name)
    except (InputError, BrokenPipeError):  # nobody reads what is said any more: no fault of a file
        raise
    except OSError as error:
        raise InputError(
            f"stage `{name}` cannot read or write {error.filename or final}: {error.strerror or error}; "
            f"{way_out(error)}; what was computed is kept, and the same command resumes"
        ) from error
    except Exception as error:
        # TensorFlow turns an error of a loading thread into its own error, which keeps only the text.
        found = re.search(r"^wsseg\.errors\.InputError: (.+)$", str(error), re.MULTILINE)
        if found is None and NO_KERNEL in str(error) and recipe.precision != "float32":
            raise InputError(
                f"stage `{name}`: oneDNN has no operation for `precision: {recipe.precision}` here "
                "(ONEDNN_MAX_CPU_ISA, if set, may forbid it); use `precision: float32`, or a GPU"
            ) from error
        if found is None:
            raise
        raise InputError(found[1]) from error
    if left is not None:
        left.finish(whole=not resumed)
    aside = f"; {len(outcome.set_aside)} set aside (see {final / MANIFEST})" if outcome.set_aside else ""
    say(f"{name}: {outcome.line}{aside}; {in_words(manifest.wall_seconds)}; {final}")
    for warning in outcome.warnings:
        say(f"warning: {name}: {warning}")


def open_partial(
    states: States, state: State, partial: Path, begin: Mapping[str, Any], say: Callable[[str], None]
) -> bool:
    """Prepare the folder in which a stage works. Files that fit the recipe, its inputs and its data are kept.

    Args:
        states: States of the run's stages.
        state: State of this stage.
        partial: Folder in which the stage works.
        begin: Content of the folder's `definition.json`.
        say: Function that is called with each line for the user.

    Returns:
        Whether the stage resumes. If the folder then has a manifest, the stage is finished.
    """
    name, final = state.stage, states.folder(state.stage)
    begun = begun_with(partial)
    unfit = begun is not None and states.why_unfit(begun, name)
    if unfit:
        why = f" ({unfit})" if begun else ""
        say(f"{name}: starts again; the files of a stopped run do not fit this recipe{why}")
        shutil.rmtree(partial)
    if begun is None or unfit:
        if state.updates:
            reopen(final, partial, states.files(name).damage(), begin, copy=True)
        elif state.damage and not state.damage.learnt:
            reopen(final, partial, state.damage, begin)
        else:
            partial.mkdir()
            write_json(partial / DEFINITION, begin)
            return False
    if Manifest.load(partial) is not None:
        files = MadeFiles(partial)
        damage = files.damage()
        if not damage and not files.broken:
            return True
        write_json(partial / DEFINITION, begin)
        drop(partial, damage)
    say(f"{name}: resumes")
    for path in partial.rglob(".*.partial"):
        path.unlink(missing_ok=True)  # a file that a killed process was writing
    return True


def _replace(partial: Path, final: Path, say: Callable[[str], None]) -> None:
    """Replace `final` by `partial`. At no moment is `final` incomplete. An edited `final` is kept beside it."""
    outdated = final.with_name(f"{final.name}.old")
    shutil.rmtree(outdated, ignore_errors=True)
    (partial / DEFINITION).unlink(missing_ok=True)
    if final.exists():
        files = MadeFiles(final)
        damage, broken = files.damage(), files.broken or not _has_record(final)
        kept = free_name(final, "damaged") if broken else free_name(final) if damage.changed else outdated
        final.rename(kept)
        if broken:
            say(
                f"{final.name}: the damaged folder is kept as {kept}; delete it when you need nothing from it"
            )
        elif damage.changed:
            command = f"wsseg correct {shlex.quote(str(final.parent))} {shlex.quote(str(kept / MASKS))}"
            use = f"; to use its edited masks, call `{command}`" if damage.edited_masks else ""
            say(f"{final.name}: the folder with the changed files is kept as {kept}{use}")
    to_disk(partial)
    partial.rename(final)
    to_disk(final.parent)
    shutil.rmtree(outdated, ignore_errors=True)


def _has_record(final: Path) -> bool:
    try:
        return Manifest.load(final) is not None
    except InputError:
        return False


def versions() -> dict[str, str]:
    """Return the versions of Python and of the libraries that a result depends on."""
    result = {"python": platform.python_version(), "platform": sys.platform}
    for library in LIBRARIES:
        with contextlib.suppress(importlib.metadata.PackageNotFoundError):
            result[library] = importlib.metadata.version(library)
    return result
