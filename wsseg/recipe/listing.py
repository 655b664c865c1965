"""Every option of a recipe in words: name, type, range, default and help, as `wsseg options` prints them."""

import functools
import inspect
import json
import re
import textwrap
from typing import Any

from wsseg.errors import InputError
from wsseg.recipe.marks import Option, options_of, types_of
from wsseg.recipe.plain import to_plain
from wsseg.recipe.recipe import Recipe
from wsseg.recipe.values import describe

INDENT = {"initial_indent": 6 * " ", "subsequent_indent": 6 * " "}


def list_options(word: str | None = None, width: int = 100) -> str:
    """Return the options of a recipe as text, by section.

    Args:
        word: Only options whose dotted name or help has this in it, in upper or lower case; None for all.
        width: Characters per line.

    Raises:
        InputError: No option has the word.

    Example:
        >>> print(list_options("detect.objects"))
        detect: Train a detector on the pseudo-instances that IRNet separates (`propagate.instances`), or on
        the true instances.
          --detect.objects: a whole number, 1 or more; default: 50
              Maximum number of objects per training image; the largest are kept.
    """
    lines: list[str] = []
    section = None
    for option in options_of(Recipe()):
        if word is not None and word.lower() not in f"{option.path} {help_of(option)}".lower():
            continue
        prefix = option.path.rpartition(".")[0]
        if prefix != section:
            section = prefix
            lines += ["", *textwrap.wrap(heading(prefix), width, break_on_hyphens=False)]
        lines.append(f"  --{option.path}: {in_words(option)}; default: {default_of(option)}")
        lines += textwrap.wrap(help_of(option), width, break_on_hyphens=False, **INDENT)
    if not lines:
        raise InputError(f"no option has `{word}` in its name or help; `wsseg options` lists all of them")
    return "\n".join(lines[1:])


def heading(path: str) -> str:
    """Say what a section is for: an inner one in the words of the section that it is in.

    Example:
        >>> heading("segment.crf")
        'segment.crf: Dense CRF on the predictions.'
    """
    parent, _, name = path.rpartition(".")
    section: Any = Recipe
    for part in path.split(".") if path else ():
        outer, section = section, types_of(section)[part]
    if parent:
        return f"{path}: {help_in(outer)[name]}"
    summary = inspect.cleandoc(section.__doc__).splitlines()[0]
    return f"{path}: {summary}" if path else summary


def in_words(option: Option) -> str:
    """Say which values an option takes.

    Example:
        >>> [in_words(one) for one in options_of(Recipe().detect) if one.name in ("objects", "size")]
        ['a whole number, a multiple of 32, or null', 'a whole number, 1 or more']
    """
    words = describe(option.kind)
    if option.range is None:
        return words
    either, null = words.removesuffix(" or null"), words.endswith(" or null")
    return f"{either}, {option.range.words}" + (
        ", or null" if null and "null" not in option.range.words else ""
    )


def default_of(option: Option) -> str:
    """Return the value of an option as YAML has it."""
    value = to_plain(option.value)
    return value if isinstance(value, str) else json.dumps(value)


def help_of(option: Option) -> str:
    """Return the help of an option, from the docstring of its section or of the nearest base that has it."""
    return next(
        (help_in(one)[option.name] for one in option.section.__mro__ if option.name in help_in(one)), ""
    )


@functools.cache
def help_in(section: type) -> dict[str, str]:
    """Return the texts under "Attributes:" in a docstring, by name."""
    text = (inspect.cleandoc(section.__doc__ or "")).partition("Attributes:\n")[2]
    return {
        name: " ".join(text.split())
        for name, text in re.findall(r"^ {4}(\w+): (.*(?:\n {8}.*)*)", text, re.M)
    }
