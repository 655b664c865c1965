"""Look up names in a table and options in a signature. The error for a wrong name suggests the nearest right one."""

import importlib
import inspect
from collections.abc import Callable, Collection, Iterable, Mapping
from typing import Any

from wsseg.errors import InputError, nearest


def check_name(table: Collection[str], name: str, kind: str) -> None:
    """Raise an error if a name is not in a table.

    Args:
        table: Names that exist.
        name: Name that the user wrote.
        kind: Kind of the table's entries ("dataset", "explainer"), for the error message.

    Raises:
        InputError: `name` is not in the table; the message suggests the nearest name.
    """
    if name not in table:
        raise InputError(f"unknown {kind} `{name}`; {nearest(name, table)}")


def load(table: Mapping[str, str], name: str, kind: str) -> Any:
    """Import and return the entry `name` of `table`.

    Args:
        table: Table `name -> "module:attribute"`.
        name: Name to look up.
        kind: Kind of the table's entries ("dataset", "explainer"), for the error message.

    Returns:
        The imported attribute.

    Raises:
        InputError: `name` is not in the table; the message suggests the nearest name.

    Example:
        >>> load({"sqrt": "math:sqrt"}, "sqrt", "function")(9)
        3.0
    """
    check_name(table, name, kind)
    module, attribute = table[name].split(":")
    return getattr(importlib.import_module(module), attribute)


def options_of(make: Callable[..., Any], without: Collection[str] = ()) -> dict[str, Any]:
    """Return the options of a class or function, with their defaults.

    Args:
        make: Class or function.
        without: Names of parameters that are not options.

    Returns:
        `option -> default`. The value is None if the option has no default.

    Example:
        >>> def make(model, stride, rate=2, **further): ...
        >>> options_of(make, without=["model"])
        {'stride': None, 'rate': 2}
    """
    return {
        option: None if parameter.default is parameter.empty else parameter.default
        for option, parameter in inspect.signature(make).parameters.items()
        if parameter.kind is not parameter.VAR_KEYWORD and option not in without
    }


def check_options(owner: str, given: Iterable[str], takes: Collection[str]) -> None:
    """Raise an error if an option does not exist.

    Args:
        owner: Owner of the options, for the error message: "loss `focal`".
        given: Option names that the user wrote.
        takes: Option names that exist.

    Raises:
        InputError: A given option does not exist; the message suggests the nearest one.

    Example:
        >>> check_options("loss `focal`", ["gama"], ["alpha", "gamma"])
        Traceback (most recent call last):
        wsseg.errors.InputError: loss `focal` has no option `gama`; did you mean `gamma`?
    """
    for option in given:
        if option not in takes:
            raise InputError(f"{owner} has no option `{option}`; {nearest(option, takes)}")
