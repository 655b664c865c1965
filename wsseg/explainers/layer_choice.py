"""The layer to explain, in every form in which it may be given: a name, a path, an index, the layer, or one call."""

import numbers
from collections.abc import Iterator, Sequence
from typing import Any

import keras

from wsseg.errors import InputError, nearest
from wsseg.explainers.flattening import Call, is_graph

SLICING = (keras.layers.TimeDistributed, keras.layers.Bidirectional, keras.layers.RNN)
"""Layers that run the layer inside them on one slice of the input after the other."""

FORMS = "a name, a path such as `base/conv`, an index of `model.layers`, a layer, or one call, (name, number)"


class SeveralLayersError(InputError):
    """Several layers have the given name."""


def choose(model: keras.Model, layer: Any, calls: Sequence[Call]) -> tuple[list[Call], Any, int | None]:
    """Find the calls that the user means.

    Args:
        model: The user's model.
        layer: See `FORMS`. `name#number` stands for one call too. A list of one is that one.
        calls: All calls of the flat model.

    Returns:
        The calls of the layer, or the one call, in the order in which they run; if there are none, the layer inside
        another layer, which the graph does not show; and the number of the call, or None if none is given.

    Raises:
        InputError: There is no such layer or call, or the name belongs to several layers.
    """
    wanted, number = _read(layer)
    if isinstance(wanted, numbers.Integral):
        wanted = _at(model, int(wanted))
    if isinstance(wanted, str):
        found = _named(wanted, calls)
        inner = None if found else _hidden(wanted, calls)
        name, mark, digits = wanted.rpartition("#")
        if not found and inner is None and mark and digits.isdigit():
            return choose(model, (name, int(digits)), calls)
    else:
        found = [call for call in calls if call.operation is wanted]
        inner = next((x for path, x in _inside(calls) if x is wanted), None) if not found else None
    found.sort(key=lambda call: call.number)
    if inner is not None:
        _refuse_slices(inner, calls)
    if found and number is not None:
        found = [_numbered(found, number)]
    return found, inner, number


def layer_of(model: keras.Model, layer: Any) -> tuple[keras.layers.Layer, str, int | None]:
    """Find a layer of a subclassed model: the layer, its name, and the number of the call or None.

    Raises:
        InputError: No layer is given, there is none of that name, or there are several.
    """
    own = f"model `{model.name}` is a subclassed {type(model).__name__}"
    every = list(_parts(model, ()))
    if layer is None:
        shown = ", ".join(path[-1] for path, _ in every)
        raise InputError(f"{own}: name the layer to explain with `layer=`; choose one of: {shown}")
    wanted, number = _read(layer)
    if isinstance(wanted, numbers.Integral):
        wanted = _at(model, int(wanted))
    if isinstance(wanted, str):
        found = _one(wanted, [(path, x) for path, x in every if _fits(wanted, path)])
        name, mark, digits = wanted.rpartition("#")
        if found is None and mark and digits.isdigit():
            return layer_of(model, (name, int(digits)))
        if found is None:
            raise InputError(f"{own}: no layer `{wanted}`; {nearest(wanted, {p[-1] for p, _ in every})}")
        return found, found.name, number
    if not any(x is wanted for _, x in every):
        raise InputError(f"{own}: `layer` {_shown(wanted)} is not a layer of it; give its name")
    return wanted, wanted.name, number


def _read(layer: Any) -> tuple[Any, int | None]:
    """Return the name, index or layer, and the number of the call or None."""
    if isinstance(layer, (list, tuple)):
        if len(layer) == 1:
            return _read(layer[0])
        is_call = (
            isinstance(layer, tuple) and len(layer) == 2 and isinstance(layer[0], (str, keras.Operation))
        )
        if is_call and isinstance(layer[1], numbers.Integral) and not isinstance(layer[1], bool):
            return layer[0], int(layer[1])
        raise InputError(
            f"`layer` must be one layer; got {[_shown(x) for x in layer]}; build one explainer for each layer, and "
            "take the mean of their maps at the image's size, `explainer(images, targets)`, if one map is wanted"
        )
    if isinstance(layer, (str, numbers.Integral, keras.Operation)) and not isinstance(layer, bool):
        return layer, None
    if isinstance(layer, keras.KerasTensor):
        raise InputError(
            f"`layer` is a symbolic tensor; give the layer that makes it, `{layer._keras_history.operation.name}`"
        )
    raise InputError(f"`layer` must be {FORMS}; got {layer!r}")


def _shown(layer: Any) -> str:
    return f"`{layer.name}`" if isinstance(layer, keras.Operation) else repr(layer)


def _at(model: keras.Model, index: int) -> keras.layers.Layer:
    count = len(model.layers)
    if not -count <= index < count:
        raise InputError(
            f"`layer` is {index}, but model `{model.name}` has {count} layers, 0 to {count - 1}; for a layer inside "
            "a nested model give its name"
        )
    return model.layers[index]


def _fits(name: str, path: Sequence[str]) -> bool:
    """Tell whether a name is the end of a path, written with `/` or with `.`."""
    return any(name == (whole := mark.join(path)) or whole.endswith(mark + name) for mark in "/.")


def _named(name: str, calls: Sequence[Call]) -> list[Call]:
    """Return the calls of the one operation of that name; a name of the flat model itself comes first."""
    exact = [call for call in calls if call.name == name and not is_graph(call.operation)]
    found = exact or [call for call in calls if _fits(name, call.path)]
    outermost = [call for call in found if "/".join(call.path) == name]
    _one(name, [(call.path, call.operation) for call in outermost or found])
    return outermost or found


def _numbered(calls: Sequence[Call], number: int) -> Call:
    found = [call for call in calls if call.number == number] or (
        [calls[number]] if -len(calls) <= number < 0 else []
    )
    if not found:
        name = calls[0].path[-1]
        raise InputError(
            f"`layer`: layer `{name}` is called {len(calls)} times; the numbers of its calls are "
            f"{', '.join(str(call.number) for call in calls)}; got {number}"
        )
    return found[0]


def _parts(layer: Any, path: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], Any]]:
    for part in layer._flatten_layers(include_self=False, recursive=False):
        yield (*path, part.name), part
        yield from _parts(part, (*path, part.name))


def _inside(calls: Sequence[Call]) -> Iterator[tuple[tuple[str, ...], Any]]:
    """List the layers inside layers, which a graph does not show, with their paths."""
    seen = set()
    for call in calls:
        if id(call.operation) in seen or is_graph(call.operation):
            continue
        seen.add(id(call.operation))
        if isinstance(call.operation, keras.layers.Layer):
            yield from _parts(call.operation, call.path)


def hidden_layers(calls: Sequence[Call]) -> list[str]:
    """Return the paths of the layers inside custom layers, which a graph does not show."""
    return ["/".join(path) for path, _ in _inside(calls)]


def _refuse_slices(layer: Any, calls: Sequence[Call]) -> None:
    """Refuse a layer that a wrapper runs on one slice after the other: its cells have no place in the image."""
    every = [x for call in calls for x in (call.operation, *(x for _, x in _inside([call])))]
    for one in every:
        if isinstance(one, SLICING) and any(x is layer for x in one._flatten_layers(include_self=False)):
            raise InputError(
                f"`layer`: layer `{layer.name}` runs inside `{one.name}` ({type(one).__name__}) on slices of its "
                "input, so its cells have no place in the image; choose a layer before or after it, or a method that "
                "explains the image itself, such as `integrated_gradients`"
            )


def _hidden(name: str, calls: Sequence[Call]) -> Any:
    return _one(name, [(path, layer) for path, layer in _inside(calls) if _fits(name, path)])


def _one(name: str, found: Sequence[tuple[tuple[str, ...], Any]]) -> Any:
    """Return the one object among some with their paths, or None; several are refused."""
    different = {id(x): (path, x) for path, x in reversed(found)}
    if len(different) > 1:
        paths = sorted("/".join(path) for path, _ in different.values())
        raise SeveralLayersError(
            f"`layer`: {len(paths)} layers are called `{name}`; choose one of: {', '.join(paths)}"
        )
    return next(iter(different.values()))[1] if different else None
