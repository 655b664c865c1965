"""The commands that run a recipe, or one stage of it, and `wsseg status`."""

import argparse
import shlex
from collections.abc import Sequence
from pathlib import Path

from wsseg.commands.score_masks import score_folders
from wsseg.commands.score_objects import score_instances
from wsseg.commands.score_panoptic import score_panoptic
from wsseg.engine import run as engine
from wsseg.engine import run_folder
from wsseg.errors import InputError
from wsseg.file_names import DETECTOR, MASKS, OWNER, PAGE, SEGMENTER
from wsseg.recipe import Recipe, load_recipe
from wsseg.recipe.decisions import trains_segmenter
from wsseg.stages import STAGES, plan
from wsseg.stages.evaluate.score_table import print_table


def run_recipe(arguments: argparse.Namespace, overrides: list[str]) -> None:
    """Run a recipe, or one stage of it; end with the table of scores."""
    only = None if arguments.command == "run" else arguments.command
    of_masks = ("mask_values", "mask_level", "prediction_values")
    given = [name for name in of_masks if only == "evaluate" and getattr(arguments, name) is not None]
    of_files = ("predictions", "truth", "classes", "panoptic")
    if only == "evaluate" and (given or any(getattr(arguments, name) for name in of_files)):
        if arguments.recipe or overrides:
            raise InputError(
                "--predictions takes no recipe and no recipe options; give --truth and --classes"
            )
        of_objects = arguments.truth and arguments.truth.suffix == ".json"
        if given and (arguments.panoptic or of_objects):
            raise InputError(f"--{given[0].replace('_', '-')} is for folders of masks; remove it")
        if arguments.panoptic:
            score_panoptic(arguments.predictions, arguments.truth, arguments.classes)
            return
        if of_objects:
            score_instances(arguments.predictions, arguments.truth, arguments.classes)
            return
        score_folders(
            arguments.predictions,
            arguments.truth,
            arguments.classes,
            values_of(arguments.mask_values, "--mask-values"),
            arguments.mask_level,
            values_of(arguments.prediction_values, "--prediction-values"),
        )
        return
    if arguments.recipe is None and arguments.run is not None and (arguments.run / OWNER).exists():
        run = arguments.run.resolve()
        source = run_folder.source_of(run, with_full_paths(overrides))
        with run_folder.working_folder(run):
            run_source(source, run, only)
        return
    run_source((arguments.recipe, overrides), arguments.run, only)


def run_source(source: run_folder.Source, run: Path | None, only: str | None) -> None:
    """Run a recipe, or one stage of it, from its source; end with the table of scores."""
    recipe = load_recipe(*source)
    run = run or Path("runs") / recipe.name
    engine.run(recipe, run, only, source=source)
    if only in (None, "evaluate"):
        print_table(run)
    if only is None:
        print_products(recipe, run)
    if "report" in plan(recipe) and only in (None, "report"):
        print(f"report: {(run / STAGES['report'].folder / PAGE).resolve()}")
    if only is None and trains_segmenter(recipe):
        print(f"predict: wsseg predict {shlex.quote(str(run))} PHOTOS --out DIR")


def with_full_paths(overrides: Sequence[str]) -> list[str]:
    """Return options in which a value that is a path of an existing file or folder is its full path."""
    result = []
    for word in overrides:
        name, equals, value = word.partition("=")
        named = name.rpartition(".")[2] in ("root", "annotations_root", "weights")
        result.append(
            f"{name}={Path(value).resolve()}" if named and equals and Path(value).exists() else word
        )
    return result


def values_of(words: Sequence[str] | None, option: str) -> dict[str, str] | None:
    """Return the words of an option, such as `255=cat`, as value -> meaning.

    Raises:
        InputError: A word is no such pair, or names a value again.

    Example:
        >>> values_of(["255=cat", "7=2"], "--mask-values")
        {'255': 'cat', '7': '2'}
    """
    found: dict[str, str] = {}
    for word in words or ():
        value, equals, meaning = word.partition("=")
        if not (equals and meaning and value.isdecimal()) or value in found:
            raise InputError(
                f"{option} {word} must be VALUE=CLASS, each value once, such as {option} 255=cat"
            )
        found[value] = meaning
    return found or None


def print_products(recipe: Recipe, run: Path) -> None:
    """Print where the pseudo-masks and the trained networks of a finished run are."""
    planned = plan(recipe)
    made = {"relabel": MASKS, "label": MASKS, "segment": SEGMENTER, "detect": DETECTOR}
    paths = {name: run / STAGES[name].folder / file for name, file in made.items() if name in planned}
    masks = [paths[name] for name in ("relabel", "label") if name in paths][:1]
    for what, found in (("masks", masks), ("model", [paths[n] for n in ("segment", "detect") if n in paths])):
        for path in found:
            print(f"{what}: {path}")


def show_status(arguments: argparse.Namespace, overrides: list[str]) -> None:
    """Print one line per stage."""
    run = arguments.run.resolve()
    if arguments.recipe:
        states = engine.states(load_recipe(arguments.recipe, overrides), run)
    else:
        source = run_folder.source_of(arguments.run, with_full_paths(overrides))
        with run_folder.working_folder(run):
            states = engine.states(load_recipe(*source), run)
    for state in states:
        why = f"  ({state.why})" if state.why else ""
        print(f"{state.stage:<10} {state.status}{why}")
