"""Former names of options, which are still read: today's take their place, and a note says so."""

import dataclasses
import sys
from collections.abc import Mapping
from typing import Any

from wsseg.errors import InputError
from wsseg.recipe.marks import renamed_in, types_of


def with_todays_names(options: Any, section: type, where: str, prefix: str = "") -> Any:
    """Return the options of a file with today's names and values; a note for each former one goes to stderr.

    Args:
        options: What the file holds, nested as the dataclasses are; anything else comes back as it is.
        section: The dataclass that describes it.
        where: The file, for the note.
        prefix: Dotted path of `section` inside the recipe.

    Raises:
        InputError: An option stands there by both names.
    """
    if not isinstance(options, Mapping):
        return options
    kinds = types_of(section)
    result: dict[Any, Any] = {}
    for name, value in options.items():
        if dataclasses.is_dataclass(kinds.get(name)):
            result[name] = with_todays_names(value, kinds[name], where, f"{prefix}{name}.")
            continue
        todays, value = _todays(section, name, value, where, prefix)
        if todays in result:
            raise InputError(
                f"{where}: `{prefix}{name}` and `{prefix}{todays}` are one option; remove one of them"
            )
        result[todays] = value
    return result


def words_with_todays_names(words: list[str], recipe: type) -> list[str]:
    """Return words of the command line with today's names and values of options; notes go to stderr.

    Args:
        words: Such as `["--segment.epochs", "3"]` or `["--segment.epochs=3"]`.
        recipe: The dataclass that the options are of.

    Example:
        >>> from wsseg.recipe import Recipe
        >>> words_with_todays_names(["--segment.supervision=masks", "--seed", "1"], Recipe)
        ['--segment.train_on=true_masks', '--seed', '1']
    """
    result = list(words)
    for index, word in enumerate(words):
        option, equals, value = word.partition("=")
        *path, name = option.removeprefix("--").split(".")
        section: Any = recipe
        for part in path:
            section = types_of(section).get(part) if dataclasses.is_dataclass(section) else None
        if not word.startswith("--") or not dataclasses.is_dataclass(section):
            continue
        separate = not equals and index + 1 < len(words)
        prefix = "".join(f"{part}." for part in path)
        given = words[index + 1] if separate else value
        if dataclasses.is_dataclass(kind := types_of(section).get(name)):
            todays, value = name, _section_with_todays_names(given, kind, f"{prefix}{name}.")
        else:
            todays, value = _todays(section, name, given, "command line", prefix)
        result[index] = f"--{prefix}{todays}{equals}{value if equals else ''}"
        if separate:
            result[index + 1] = value
    return result


def _section_with_todays_names(text: str, section: type, prefix: str) -> str:
    """Do the same with a whole section, such as `--segment '{epochs: 3}'`."""
    import yaml

    try:
        options = yaml.safe_load(text)
    except (yaml.YAMLError, ValueError, RecursionError):
        return text  # the parser says what is wrong with it
    todays = with_todays_names(options, section, "command line", prefix)
    return text if todays == options else yaml.safe_dump(todays, default_flow_style=True, width=2**20).strip()


def _todays(section: type, name: str, value: Any, where: str, prefix: str) -> tuple[str, Any]:
    """Return today's name and value of one option, after a note if one of them was another."""
    for todays, former in renamed_in(section).items():
        if name in (todays, former.name):
            now = former.now(value)
            if (name, value) != (todays, now):
                print(
                    f"wsseg: {where}: `{prefix}{name}: {value}` is now `{prefix}{todays}: {now}`; the former name is "
                    "still read",
                    file=sys.stderr,
                )
            return todays, now
    return name, value
