"""Read a recipe and the options that win over it.

A recipe is a YAML file with these sections; every option has a default, so a file says only what it
changes. Options of the command line (`--segment.epochs 3`) win over the file.
"""

import dataclasses
import functools
import typing
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from wsseg.errors import InputError, nearest
from wsseg.file_names import OWNER
from wsseg.recipe.built_in import file_of
from wsseg.recipe.combinations import check_combinations
from wsseg.recipe.former_names import with_todays_names, words_with_todays_names
from wsseg.recipe.marks import check_ranges
from wsseg.recipe.recipe import Recipe
from wsseg.recipe.values import explained


def check_names(options: Mapping[str, Any], section: type, where: str, prefix: str = "") -> None:
    """Fail on a misspelt option, naming the nearest right one.

    Args:
        options: What the file holds, nested as the dataclasses are.
        section: The dataclass that describes it.
        where: The file, for the message.
        prefix: Dotted path of `section` inside the recipe.

    Raises:
        InputError: An option does not exist, or a section is not a mapping.
    """
    if not isinstance(options, Mapping):
        name = f"`{prefix.rstrip('.')}`" if prefix else "the recipe"
        hint = "give it options, or remove it" if options is None else "write `option: value` below it"
        raise InputError(f"{where}: {name} must be a section of options; got {options!r}; {hint}")
    fields = typing.get_type_hints(section)
    for name, value in options.items():
        if name not in fields:
            hint = nearest(str(name), fields)
            raise InputError(f"{where}: unknown option `{prefix}{name}`; {hint}")
        if dataclasses.is_dataclass(fields[name]):
            check_names(value, fields[name], where, f"{prefix}{name}.")


def parser() -> Any:
    """Return a jsonargparse parser with every option of a recipe (`--segment.epochs`) and `--config`."""
    from jsonargparse import ArgumentParser

    result = ArgumentParser(exit_on_error=False)
    result.add_argument("--config", action="config", help="a recipe in YAML")
    result.add_class_arguments(Recipe, nested_key=None)
    return result


def load_recipe(path: str | Path | None = None, overrides: list[str] | None = None) -> Recipe:
    """Read a recipe and the options that win over it.

    Args:
        path: A YAML file, or the name of a built-in recipe, such as "scenes"; or the `recipe.json` of a run folder;
            None for the defaults.
        overrides: Command-line words such as `["--segment.epochs", "3"]`.

    Returns:
        The validated recipe.

    Raises:
        InputError: The recipe is missing or malformed, an option is misspelt (the message names the
            nearest), has a value of the wrong type or range, or does not fit another.

    Example:
        >>> load_recipe("scenes", ["--segment.epochs", "3"]).segment.epochs
        3
    """
    import yaml

    from wsseg.recipe.yaml_file import read_yaml  # here, as it imports PyYAML

    words: list[str] = []
    if path is not None:
        path = file_of(path)
        content = read_yaml(path)
        of_run = path.name == OWNER and isinstance(content, dict)
        if of_run:
            content = content.get("options")
        if content is not None:  # an empty file is the defaults
            todays = _todays_options(content, str(path))
            words = ["--config", str(path) if todays == content and not of_run else yaml.safe_dump(todays)]
    overrides = words_with_todays_names(list(overrides or []), Recipe)
    _check_override_names(overrides)
    try:
        parsed = _parse([*words, *overrides], "command line" if overrides else str(path))
    except InputError:
        if words and overrides:
            _parse(words, str(path))  # fails too if the file is to blame
        raise
    return _checked(parsed)


def recipe_of_options(options: Mapping[str, Any], where: str) -> Recipe:
    """Return the recipe of options that are nested as its sections are, such as `to_plain` gives them.

    Args:
        options: The options; what is missing has its default.
        where: Where they are from, for the error message.

    Raises:
        InputError: See `load_recipe`.

    Example:
        >>> recipe_of_options({"segment": {"epochs": 3}}, "here").segment.epochs
        3
    """
    import yaml

    return _checked(_parse(["--config", yaml.safe_dump(_todays_options(options, where))], where))


def _todays_options(options: Any, where: str) -> Any:
    todays = with_todays_names(options, Recipe, where)
    check_names(todays, Recipe, where)
    return todays


def _checked(parsed: Any) -> Recipe:
    result = Recipe(**{f.name: getattr(parsed, f.name) for f in dataclasses.fields(Recipe)})
    check_ranges(result)
    check_combinations(result)
    return result


def _parse(words: list[str], where: str) -> Any:
    """Turn words into sections; `where` they were written stands in the error."""
    from jsonargparse import ArgumentError

    reader = _reader()
    try:
        return reader.instantiate(reader.parse_args(words))
    except (ArgumentError, TypeError, ValueError, OverflowError) as error:
        raise InputError(f"{where}: {explained(str(error), Recipe)}") from error
    except RecursionError:
        raise InputError(
            f"{where}: an option is nested too deeply; give lists and sections of a few levels"
        ) from None


@functools.cache
def _reader() -> Any:
    """Return the parser that reads all recipes; to make one takes longer than to read with it."""
    return parser()


def _check_override_names(words: list[str]) -> None:
    for word in words:
        if not word.startswith("--"):
            continue
        section: Any = Recipe
        name = word[2:].split("=")[0]
        parts = name.split(".")
        for depth, part in enumerate(parts):
            if not dataclasses.is_dataclass(section):
                break  # below `dataset.options` names are the dataset's own
            fields = typing.get_type_hints(section)
            if part not in fields:
                prefix = "".join(f"{p}." for p in parts[:depth])
                hint = nearest(part, fields)
                raise InputError(f"command line: unknown option `--{prefix}{part}`; {hint}")
            section = fields[part]
