"""The recipes that come with the package: each has a name, which stands where a recipe file may stand."""

import sys
from pathlib import Path

from wsseg.errors import InputError, nearest

FOLDER = Path(__file__).parent / "recipes"
"""Folder of the built-in recipes, NAME.yaml."""

LISTED = "`wsseg recipes` lists the built-in ones"


def names() -> list[str]:
    """Return the names of the built-in recipes, sorted.

    Example:
        >>> names()[:2]
        ['coco14_irn', 'magnetic_tiles']
    """
    return sorted(path.stem for path in FOLDER.glob("*.yaml"))


def headline(name: str) -> str:
    """Return the first line of a recipe's header: what it is, in one sentence or two."""
    return (FOLDER / f"{name}.yaml").read_text().partition("\n")[0].lstrip("# ")


def listing() -> str:
    """Return one line per built-in recipe: its name and its headline."""
    width = max(map(len, names()))
    return "\n".join(f"{name:<{width}}  {headline(name)}" for name in names())


def is_name(recipe: str | Path) -> bool:
    """Tell whether a word stands for a built-in recipe. An existing file of that name wins."""
    return str(recipe) in names() and not Path(recipe).is_file()


def file_of(recipe: str | Path) -> Path:
    """Return the file of a recipe.

    Args:
        recipe: A YAML file, or the name of a built-in recipe. An existing file wins.

    Returns:
        The file, which exists, or is at least something that can be tried to be read.

    Raises:
        InputError: There is neither such a file nor such a recipe; the message names the nearest one.

    Example:
        >>> file_of("scenes").name
        'scenes.yaml'
    """
    path = Path(recipe)
    if is_name(recipe):
        return FOLDER / f"{recipe}.yaml"
    try:
        if path.exists():
            return path
    except OSError as error:  # longer than a name may be
        raise InputError(f"recipe {path} cannot be read ({error.strerror}); {LISTED}") from error
    if path.stem in names():
        raise InputError(f"recipe {path} does not exist; did you mean the built-in recipe `{path.stem}`?")
    if path.suffix or len(path.parts) > 1:  # meant as a file
        raise InputError(f"recipe {path} does not exist; {LISTED}")
    raise InputError(f"there is no recipe file {path} and no recipe `{path}`; {nearest(str(path), names())}")


def remembered(recipe: str) -> str:
    """Return the recipe that a run folder remembers; a built-in one that stands elsewhere today by its name.

    Earlier versions had the built-in recipes in `pipelines/recipes/`, and runs remember that path.
    """
    path = Path(recipe)
    if path.parent.name == "recipes" and path.stem in names() and not path.exists():
        print(f"wsseg: {path} is gone; the built-in recipe `{path.stem}` takes its place", file=sys.stderr)
        return path.stem
    return recipe
