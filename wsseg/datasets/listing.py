"""The datasets and their options as text, taken from the functions that read them: `wsseg datasets list`."""

import inspect
import re
import textwrap

from wsseg.catalogue import load
from wsseg.datasets import DATASETS

WIDTH = 110


def listing() -> str:
    """Return all datasets: what each is, and its options with their defaults and meanings."""
    return "\n\n".join(described(name) for name in DATASETS)


def described(name: str) -> str:
    """Return one dataset's text.

    Raises:
        InputError: There is no such dataset.

    Example:
        >>> print(described("voc").splitlines()[0])
        voc: PASCAL VOC 2012 in its devkit layout: the whole of it or some classes.
    """
    reader = load(DATASETS, name, "dataset")
    summary = (inspect.getdoc(inspect.getmodule(reader)) or "").splitlines()[0]
    meanings = argument_meanings(inspect.getdoc(reader) or "")
    lines = [f"{name}: {summary}"]
    for option, parameter in inspect.signature(reader).parameters.items():
        text = f"{meanings.get(option, '')} (default: {parameter.default})"
        lines += textwrap.wrap(
            text, WIDTH, initial_indent=f"  {option:<17} ", subsequent_indent=" " * 20, break_on_hyphens=False
        )
    return "\n".join(lines)


def argument_meanings(docstring: str) -> dict[str, str]:
    """Return what a Google-style docstring says of each argument, as one line each.

    Example:
        >>> argument_meanings("Do it.\\n\\nArgs:\\n    a: The first,\\n        of two.\\n    b: The other.\\n")
        {'a': 'The first, of two.', 'b': 'The other.'}
    """
    section = re.search(r"^Args:\n((?:[ \t]+.*\n?|\n)*)", docstring, re.MULTILINE)
    found = re.findall(r"^ {4}(\w+): (.*(?:\n {8}.*)*)", section[1] if section else "", re.MULTILINE)
    return {name: " ".join(text.split()) for name, text in found}
