"""Flatten nested models: one functional model of the same layers, none of which is a model."""

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import keras

from wsseg.errors import InputError


@dataclass(frozen=True)
class Call:
    """One call of an operation (a layer, a nested model, or a plain operation) in a flat model.

    Attributes:
        operation: The user's own operation.
        path: Names of the nested models that it lies in, from the outside, then its own name.
        name: Its name in the flat model; a nested model, which is no layer of the flat model, has its path.
        number: Number of this call among all calls of the operation, from 0, in the order in which the model was built.
        output: Symbolic output of the call; a structure of several if the operation makes several.
    """

    operation: Any
    path: tuple[str, ...]
    name: str
    number: int
    output: Any


@dataclass(frozen=True)
class Flat:
    """A flat model, and the calls that it consists of.

    Attributes:
        model: Functional model without nested models.
        calls: All calls in the order in which they run; that of a nested model follows those of its layers.
    """

    model: keras.Model
    calls: tuple[Call, ...]

    def times(self, operation: Any) -> int:
        """Return how often an operation is called."""
        return sum(call.operation is operation for call in self.calls)


def flatten(model: keras.Model) -> keras.Model:
    """Return a functional model of the same layers and weights in which no model is nested in another.

    Args:
        model: A functional or sequential model, commonly with a `keras.applications` model inside.

    Returns:
        A functional model that shares every weight with `model`. A nested layer whose name occurs twice
        is renamed to `<its model>.<layer>`.

    Raises:
        InputError: `model` is subclassed, or was never built.
    """
    return flattened(model).model


def flattened(model: keras.Model, in_floats: Sequence[int] = ()) -> Flat:
    """Flatten a model and list the calls of its layers.

    Args:
        model: See `flatten`.
        in_floats: Positions of the inputs that become float32 although the model takes them in whole numbers. Casts of
            such an input at the door of a nested model are left out; a cast inside the model stays.

    Raises:
        InputError: See `flatten`; or a nested model is called in a way that can't be followed.
    """
    if isinstance(model, keras.Sequential):
        if not model.built or not model.inputs:
            raise InputError(
                f"model `{model.name}` has no input shape yet; call it on a batch of images first"
            )
    elif not hasattr(model, "_run_through_graph"):
        raise InputError(
            f"model `{model.name}` is a subclassed {type(model).__name__}, so the order of its layers is unknown; "
            "rebuild it as a functional model"
        )
    inputs = [
        keras.Input(batch_shape=x.shape, dtype="float32" if index in in_floats else x.dtype)
        for index, x in enumerate(model.inputs)
    ]
    inliner = _Inliner(model, keep_floats=bool(in_floats))
    outputs = inliner.run_model(model, inputs)
    return Flat(keras.Model(inputs, outputs, name=f"{model.name}_flat"), inliner.numbered())


class _Renamed(keras.layers.Layer):
    """A layer under another name: names are unique in a flat model, but nested models may repeat them."""

    def __init__(self, wrapped: Callable, name: str):
        super().__init__(name=name, autocast=False)
        self.wrapped = wrapped

    def call(self, *args, **kwargs):
        return self.wrapped(*args, **kwargs)


class _Inliner:
    """Calls a model's operations one by one on symbolic tensors, and those of nested models instead of the models."""

    def __init__(self, model: keras.Model, keep_floats: bool):
        self.keep_floats = keep_floats
        self.paths: dict[int, tuple[str, ...]] = {}
        self.wrappers: dict[int, _Renamed] = {}
        self._collect(model, ())
        self.counts = Counter(path[-1] for path in self.paths.values())
        self.calls: list[Call] = []
        self.inside: list[str] = []  # names of the nested models that are running
        self.order: list[int] = []  # position of each running call among the calls of its operation
        self._orders: list[tuple[int, ...]] = []

    def _collect(self, operation: Any, path: tuple[str, ...]) -> None:
        for part in getattr(operation, "operations", None) or operation.layers:
            if is_graph(part):
                self._collect(part, (*path, part.name))
            elif not isinstance(part, keras.layers.InputLayer):
                self.paths.setdefault(id(part), (*path, part.name))

    def run(self, operation: Callable, *args: Any, **kwargs: Any) -> Any:
        """Call an operation as its model does; a nested model is followed into its own operations."""
        if is_graph(operation):
            self.inside.append(operation.name)
            output = self.run_model(operation, *args, **kwargs)
            self.inside.pop()
            self._note(operation, output, ".".join([*self.inside, operation.name]))
            return output
        called = operation
        path = self.paths.get(id(operation), (operation.name,))
        if len(path) > 1 and self.counts[path[-1]] > 1:
            called = self.wrappers.setdefault(id(operation), _Renamed(operation, ".".join(path)))
        output = called(*args, **kwargs)
        self._note(operation, output, called.name)
        return output

    def run_model(
        self, model: keras.Model, inputs: Any, mask: Any = None, training: Any = None, **context: Any
    ) -> Any:
        """Run the operations of a model. `training` has no effect, since explanations are made at inference."""
        given = self._fitting(model, inputs)
        for tensor, one in zip(given, keras.tree.flatten(mask)):
            if one is not None:
                tensor._keras_mask = one  # as Keras does with a mask given to a model
        if not isinstance(model, keras.Sequential):
            return self._run_graph(model, given)
        (tensor,) = given
        for position, layer in enumerate(model.layers):
            tensor = self._at(position, layer, tensor)
        return tensor

    def _run_graph(self, model: keras.Model, inputs: Sequence[Any]) -> Any:
        known = {id(symbol): given for symbol, given in zip(model.inputs, inputs)}
        for depth in sorted(model._nodes_by_depth, reverse=True):
            for node in model._nodes_by_depth[depth]:
                if node.is_input:
                    continue
                args, kwargs = node.arguments.fill_in(known)
                position = node.operation._inbound_nodes.index(node)
                outputs = self._at(position, node.operation, *args, **kwargs)
                known |= {id(x): y for x, y in zip(node.outputs, keras.tree.flatten(outputs))}
        found = [known[id(x)] for x in model.outputs]
        packed = keras.tree.pack_sequence_as(model._outputs_struct, found)
        return found[0] if isinstance(packed, (list, tuple)) and len(packed) == len(found) == 1 else packed

    def _at(self, position: int, operation: Callable, *args: Any, **kwargs: Any) -> Any:
        """Run an operation, at a position among its calls by which they are numbered."""
        self.order.append(position)
        output = self.run(operation, *args, **kwargs)
        self.order.pop()
        return output

    def _fitting(self, model: keras.Model, inputs: Any) -> list[Any]:
        """Return a model's inputs in its own order and dtype, as Keras makes them when the model is called."""
        wanted = model.inputs
        names = [x.name for x in wanted]
        if isinstance(inputs, dict) and set(names) <= set(inputs):
            inputs = [inputs[name] for name in names]
        flat = keras.tree.flatten(inputs)
        if len(flat) != len(wanted):
            raise InputError(
                f"nested model `{model.name}` takes {len(wanted)} inputs ({', '.join(names)}), but is called with "
                f"{len(flat)}; call it with exactly these"
            )
        return [self._fitted(given, expected) for given, expected in zip(flat, wanted)]

    def _fitted(self, given: Any, expected: Any) -> Any:
        as_floats = self.keep_floats and "int" in expected.dtype and "float" in given.dtype
        # Casts as the model itself does, but without its warning about a list of one tensor.
        return given if given.dtype == expected.dtype or as_floats else keras.ops.cast(given, expected.dtype)

    def _note(self, operation: Any, output: Any, name: str) -> None:
        tensors = keras.tree.flatten(output)
        only = tensors[0] if len(tensors) == 1 else output
        self.calls.append(Call(operation, (*self.inside, operation.name), name, 0, only))
        self._orders.append(tuple(self.order))

    def numbered(self) -> tuple[Call, ...]:
        """Return the calls in the order in which they run, each with its number."""
        numbers: Counter = Counter()
        found = list(self.calls)
        for index in sorted(range(len(found)), key=self._orders.__getitem__):
            operation = id(found[index].operation)
            found[index] = replace(found[index], number=numbers[operation])
            numbers[operation] += 1
        return tuple(found)


def is_graph(operation: Any) -> bool:
    """Return whether an operation is a model whose layers are known."""
    functional = isinstance(operation, keras.Model) and hasattr(operation, "_run_through_graph")
    return functional or isinstance(operation, keras.Sequential)
