"""Look a name up in a table `name -> "module:attribute"`; a wrong one is answered with the nearest right."""

import difflib
import importlib
from collections.abc import Iterable, Mapping
from typing import Any

from wsseg.errors import InputError


def nearest(name: str, options: Iterable[str]) -> str:
    """Return a hint naming the option closest to `name`, or listing all of them.

    Args:
        name: What the user wrote.
        options: The names that exist.

    Returns:
        A clause for an error message.

    Example:
        >>> nearest("scale", ["scales", "flip"])
        'did you mean `scales`?'
        >>> nearest("xyz", ["scales", "flip"])
        'choose one of: flip, scales'
    """
    options = sorted(options)
    close = difflib.get_close_matches(name, options, n=1, cutoff=0.6)
    return f"did you mean `{close[0]}`?" if close else f"choose one of: {', '.join(options)}"


def load(table: Mapping[str, str], name: str, kind: str) -> Any:
    """Import and return what `table` holds under `name`.

    Args:
        table: `name -> "module:attribute"`.
        name: The name to look up.
        kind: What the table holds ("dataset", "explainer"), for the error message.

    Returns:
        The imported attribute.

    Raises:
        InputError: `name` is not in the table; the message names the nearest one that is.

    Example:
        >>> load({"sqrt": "math:sqrt"}, "sqrt", "function")(9)
        3.0
    """
    if name not in table:
        raise InputError(f"unknown {kind} `{name}`; {nearest(name, table)}")
    module, attribute = table[name].split(":")
    return getattr(importlib.import_module(module), attribute)
