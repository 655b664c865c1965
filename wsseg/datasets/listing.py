"""The datasets and their options as text, from the docstrings of the functions: `wsseg datasets list`."""

import inspect
import re
import textwrap

from wsseg.catalogue import load
from wsseg.datasets import DATASETS

WIDTH = 110


def listing() -> str:
    """Return a description of all datasets, with their options, defaults and meanings."""
    return "\n\n".join(described(name) for name in DATASETS)


def described(name: str) -> str:
    """Return the description of one dataset.

    Raises:
        InputError: There is no such dataset.

    Example:
        >>> print(described("voc").splitlines()[0])
        voc: PASCAL VOC 2012 in its devkit layout: all 20 classes or some of them.
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
    """Return the description of each argument in a Google-style docstring, each as one line.

    Example:
        >>> argument_meanings("Do it.\\n\\nArgs:\\n    a: The first,\\n        of two.\\n    b: The other.\\n")
        {'a': 'The first, of two.', 'b': 'The other.'}
    """
    section = re.search(r"^Args:\n((?:[ \t]+.*\n?|\n)*)", docstring, re.MULTILINE)
    found = re.findall(r"^ {4}(\w+): (.*(?:\n {8}.*)*)", section[1] if section else "", re.MULTILINE)
    return {name: " ".join(text.split()) for name, text in found}
