"""Read the recipe that a run folder was made with."""

import shlex
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

from wsseg.artifacts import read_json
from wsseg.errors import InputError
from wsseg.file_names import OWNER
from wsseg.recipe import built_in
from wsseg.recipe.reading import load_recipe, recipe_of_options
from wsseg.recipe.recipe import Recipe

NO_FILES = ("imagenet", "preset", "classifier")
"""Values of `weights` that are no files."""


def read_owner(run: Path) -> dict[str, Any]:
    """Read `recipe.json`.

    Raises:
        InputError: The file does not exist, or was not written by a run.
    """
    owner = run / OWNER
    if not owner.exists():
        raise InputError(
            f"{run} is not a run folder: it has no {OWNER}; start one with "
            f"`wsseg run RECIPE --run {shlex.quote(str(run))}`"
        )
    known = read_json(owner)
    if not isinstance(known, dict) or not {"name", "file", "overrides"} <= set(known):
        raise InputError(f"{owner} does not belong to a run; choose another folder with --run")
    kinds = {"name": str, "file": str | None, "overrides": list, "options": dict, "working_folder": list}
    wrong = [key for key, kind in kinds.items() if key in known and not isinstance(known[key], kind)]
    if not wrong:
        texts = {"overrides": known["overrides"], "working_folder": known.get("working_folder", [])}
        wrong = [key for key, words in texts.items() if not all(isinstance(word, str) for word in words)]
        wrong += ["working_folder"] if len(texts["working_folder"]) not in (0, 2) else []
    if wrong:
        raise InputError(
            f"{owner} is damaged: `{wrong[0]}` is {str(known[wrong[0]])[:60]!r}; restore the file, or start the run "
            "anew in another folder with --run"
        )
    return known


def folder_of_paths(run: Path) -> Path | None:
    """Return the folder that a run was last started in, so that relative paths of its recipe are found from anywhere.

    It is found by its way from the run folder, else by its full path: a project may move with its runs. None if the
    recipe has no relative path, or its paths are in neither of the two.
    """
    owner = read_owner(run) if (run / OWNER).exists() else {}
    sections = [section for section in owner.get("options", {}).values() if isinstance(section, dict)]
    data = _relative(section.get(name) for section in sections for name in ("root", "annotations_root"))
    paths = data or _relative(section.get("weights") for section in sections)
    if not paths or not owner.get("working_folder"):
        return None
    from_run, full = owner["working_folder"]
    for start, way in ((run.resolve(), from_run), (Path(), full)):
        try:
            folder = (start / way).resolve()
            if all((folder / path).exists() for path in paths):
                return folder
        except (OSError, ValueError):  # a name that no file can have
            continue
    return None


def _relative(values: Iterable[Any]) -> list[Path]:
    paths = [Path(value).expanduser() for value in values if isinstance(value, str) and value not in NO_FILES]
    return [path for path in paths if not path.is_absolute()]


def recipe_of_run(run: Path) -> Recipe:
    """Return the recipe with all options that a run was last made with; its file need not exist any more.

    The folder of the dataset is its full path if it is found; see `folder_of_paths`.

    Raises:
        InputError: `run` is not a run folder, or its options are not those of a recipe.
    """
    known = read_owner(run)
    if "options" in known:
        recipe, folder = recipe_of_options(known["options"], str(run / OWNER)), folder_of_paths(run)
        if folder is None or recipe.dataset.root is None:
            return recipe
        return replace(recipe, dataset=replace(recipe.dataset, root=str(folder / recipe.dataset.root)))
    return load_recipe(built_in.remembered(known["file"]) if known["file"] else None, known["overrides"])
