"""Look a name up in a table `name -> "module:attribute"`; a wrong one is answered with the nearest right."""

import importlib
from collections.abc import Mapping
from typing import Any

from wsseg.errors import InputError, nearest


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
