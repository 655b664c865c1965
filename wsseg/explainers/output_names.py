"""Names of a model's outputs, nested ones included, and the output that a name, a path or a position stands for."""

import numbers
from collections.abc import Sequence
from typing import Any

import keras

from wsseg.errors import InputError, nearest


def names_of(structure: Any, own: Sequence[str] | None = None) -> tuple[str, ...]:
    """Return the names of the outputs in a structure, in the order of `keras.tree.flatten`.

    Args:
        structure: The outputs: a tensor, or lists, tuples and dicts of tensors, nested in any way.
        own: The outputs' own names, those of the layers that make them; they name the outputs of a model that gives
            one tensor or a plain list. None for `output_0` and so on.

    Returns:
        Keys and positions joined by dots.

    Example:
        >>> names_of({"main": 0.0, "aux": [0.0, {"b": 0.0, "a": 0.0}]})
        ('aux.0', 'aux.1.a', 'aux.1.b', 'main')
    """
    paths = paths_of(structure)
    if all(not path or (len(path) == 1 and isinstance(path[0], int)) for path in paths):
        return tuple(own) if own is not None else tuple(f"output_{i}" for i in range(len(paths)))
    return tuple(".".join(map(str, path)) for path in paths)


def paths_of(structure: Any) -> list[tuple[Any, ...]]:
    """Return the keys and positions that lead to each tensor of a structure, in the order of `keras.tree.flatten`.

    Example:
        >>> paths_of({"b": 0.0, "a": [0.0, 0.0]})
        [('a', 0), ('a', 1), ('b',)]
    """
    count = len(keras.tree.flatten(structure))
    # Positions instead of tensors, since one tensor may stand at several places.
    paths = {
        number: path for path, number in _paths(keras.tree.pack_sequence_as(structure, list(range(count))))
    }
    return [paths[number] for number in range(count)]


def position(name: Any, names: Sequence[str], own: Sequence[str] = ()) -> int:
    """Return the position of an output among all outputs.

    Args:
        name: A position, from 0 or negative from the end; a name; a path of keys and positions, such as `heads.age`,
            `heads/age` or `("heads", "age")`; its end alone if no other output has it; or the name of the layer that
            makes the output. None for the only output.
        names: See `names_of`.
        own: Names of the layers that make the outputs.

    Raises:
        InputError: There is no such output, there are several, or none is named and there are several.

    Example:
        >>> names = ("aux.0", "aux.1", "heads.age", "main")
        >>> position("main", names), position("age", names), position(("aux", 1), names), position(-2, names)
        (3, 2, 1, 2)
    """
    listed = ", ".join(names)
    if name is None:
        if len(names) == 1:
            return 0
        raise InputError(f"the model has {len(names)} outputs ({listed}); choose one with `output=`")
    if isinstance(name, numbers.Integral) and not isinstance(name, bool):
        if not -len(names) <= name < len(names):
            raise InputError(
                f"`output` is {name}, but the model has {len(names)} outputs, 0 to {len(names) - 1} ({listed})"
            )
        return range(len(names))[int(name)]
    keys = name if isinstance(name, (tuple, list)) else (name,)
    if not keys or not all(isinstance(key, (str, numbers.Integral)) for key in keys):
        raise InputError(
            f"`output` must be a name, a path of names or a position; got {name!r}; choose one of: {listed}"
        )
    text = ".".join(str(key).replace("/", ".") for key in keys)
    if text in names:
        found = [names.index(text)]
    else:
        found = [i for i, x in enumerate(names) if x.startswith(f"{text}.") or x.endswith(f".{text}")]
        found = found or [i for i, x in enumerate(own) if x == text]
    if not found:
        raise InputError(f"the model has no output `{text}`; {nearest(text, names)}")
    if len(found) > 1:
        raise InputError(
            f"`output` {text!r} stands for {len(found)} outputs; choose one of: {', '.join(names[i] for i in found)}"
        )
    return found[0]


def _paths(structure: Any) -> list[tuple[tuple[Any, ...], int]]:
    if isinstance(structure, dict):
        parts: Any = structure.items()
    elif hasattr(structure, "_fields"):  # a named tuple
        parts = zip(structure._fields, structure)
    elif isinstance(structure, (list, tuple)):
        parts = enumerate(structure)
    else:
        return [((), structure)]
    return [((key, *path), number) for key, part in parts for path, number in _paths(part)]
