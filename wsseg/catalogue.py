"""Look a name up in a table, and options up in a signature; a wrong one is answered with the nearest right."""

import importlib
import inspect
from collections.abc import Callable, Collection, Iterable, Mapping
from typing import Any

from wsseg.errors import InputError, nearest


def check_name(table: Collection[str], name: str, kind: str) -> None:
    """Fail on a name that a table has not.

    Args:
        table: The names that exist.
        name: What the user wrote.
        kind: What the table holds ("dataset", "explainer"), for the error message.

    Raises:
        InputError: The message names the nearest name.
    """
    if name not in table:
        raise InputError(f"unknown {kind} `{name}`; {nearest(name, table)}")


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
    check_name(table, name, kind)
    module, attribute = table[name].split(":")
    return getattr(importlib.import_module(module), attribute)


def options_of(make: Callable[..., Any], without: Collection[str] = ()) -> dict[str, Any]:
    """Return the options that a class or function takes by name, with their defaults.

    Args:
        make: The class or function.
        without: Parameters that are no options.

    Returns:
        `option -> default`, None for one that has no default.

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
    """Fail on an option that there is not.

    Args:
        owner: Whose options they are, for the error message: "loss `focal`".
        given: Names that the user wrote.
        takes: Names that exist.

    Raises:
        InputError: The message names the nearest option.

    Example:
        >>> check_options("loss `focal`", ["gama"], ["alpha", "gamma"])
        Traceback (most recent call last):
        wsseg.errors.InputError: loss `focal` has no option `gama`; did you mean `gamma`?
    """
    for option in given:
        if option not in takes:
            raise InputError(f"{owner} has no option `{option}`; {nearest(option, takes)}")
