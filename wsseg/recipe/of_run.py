"""Read the recipe that a run folder was made with."""

from pathlib import Path
from typing import Any

from wsseg.artifacts import read_json
from wsseg.errors import InputError
from wsseg.file_names import OWNER
from wsseg.recipe import built_in
from wsseg.recipe.reading import load_recipe, recipe_of_options
from wsseg.recipe.recipe import Recipe


def read_owner(run: Path) -> dict[str, Any]:
    """Read `recipe.json`.

    Raises:
        InputError: The file does not exist, or was not written by a run.
    """
    owner = run / OWNER
    if not owner.exists():
        raise InputError(
            f"{run} is not a run folder: it has no {OWNER}; start one with `wsseg run RECIPE --run {run}`"
        )
    known = read_json(owner)
    if not isinstance(known, dict) or not {"name", "file", "overrides"} <= set(known):
        raise InputError(f"{owner} does not belong to a run; choose another folder with --run")
    return known


def recipe_of_run(run: Path) -> Recipe:
    """Return the recipe with all options that a run was last made with; its file need not exist any more.

    Raises:
        InputError: `run` is not a run folder, or its options are not those of a recipe.
    """
    known = read_owner(run)
    if "options" in known:
        return recipe_of_options(known["options"], str(run / OWNER))
    return load_recipe(built_in.remembered(known["file"]) if known["file"] else None, known["overrides"])
