"""A run on random images that records the calls of known layers, wherever they are: inside layers, inside models."""

from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import keras
import tensorflow as tf

from wsseg.backbones.layer_grids import rule_of
from wsseg.backbones.measured_grid import measured
from wsseg.backbones.place_rules import agreed, through_rule
from wsseg.grid import Grid
from wsseg.layers.grid_rules import Unknown

ATTEMPTS = 3
"""Number of known tensors, the latest first, from which an unknown tensor is measured until its grid is found."""

FAILURES = 6
"""Number of layers' inputs whose place is not found, after which only the wanted tensor itself is still measured."""


@dataclass
class Recording:
    """Tensors of one eager run, and what is known of their places.

    Attributes:
        tape: Persistent tape of the run.
        known: Tensors and their grids, in the order in which they were computed.
        calls: Calls of layers with a rule: the layer, its arguments' tensors, its output.
    """

    tape: tf.GradientTape
    known: list[tuple[Any, Grid]]
    calls: list[tuple[Any, list[Any], Any]] = field(default_factory=list)
    found: dict[int, Grid | Unknown | None] = field(default_factory=dict)
    failures: int = 0

    def place(self, target: Any) -> Grid | Unknown:
        """Return the grid of a tensor that the run has computed."""
        self.found = {id(tensor): grid for tensor, grid in self.known}
        for layer, inputs, output in self.calls:
            if id(output) not in self.found:
                self.found[id(output)] = placed = self._of_call(layer, inputs, output)
                if isinstance(placed, Grid):
                    self.known.append((output, placed))
            if output is target:
                break
        self.failures = 0
        placed = self.found.get(id(target))
        if not isinstance(placed, Grid):
            placed = self._measured(target)
        return Unknown.MIXED if placed is None else placed

    def _of_call(self, layer: Any, inputs: list[Any], output: Any) -> Grid | Unknown | None:
        maps = [x for x in inputs if len(x.shape) == 4 and tuple(x.shape[1:3]) != (1, 1)]
        if not maps:
            return None
        grids = [self._at(x) for x in maps]
        if any(x is Unknown.MIXED for x in grids):
            return Unknown.MIXED if len(maps) == 1 else self._measured(output)
        usable = [(x, grid) for x, grid in zip(maps, grids) if isinstance(grid, Grid)]
        if not usable:
            return grids[0]
        moved = [through_rule(layer, grid, tuple(x.shape), tuple(output.shape)) for x, grid in usable]
        if Unknown.NO_RULE in moved:
            return self._measured(output)
        return agreed(moved, tuple(output.shape))

    def _at(self, tensor: Any) -> Grid | Unknown | None:
        if id(tensor) not in self.found:
            if not isinstance(tensor, tf.Tensor) or not hasattr(tensor, "numpy") or self.failures >= FAILURES:
                return Unknown.MIXED
            self.found[id(tensor)] = placed = self._measured(tensor)
            if isinstance(placed, Grid):
                self.known.append((tensor, placed))
            self.failures += placed is Unknown.MIXED
        return self.found[id(tensor)]

    def _measured(self, target: Any) -> Grid | Unknown | None:
        """Measure a tensor from the latest known tensors that it depends on; None if it depends on none."""
        first, attempts = None, 0
        for source, grid in reversed(self.known):
            usable = (
                source.dtype.is_floating and len(target.shape) == 4 and source.shape[0] == target.shape[0]
            )
            if not usable or attempts == ATTEMPTS:
                continue
            placed = measured(self.tape, source, target, grid.axes)
            if isinstance(placed, Grid):
                return grid.through(placed)
            attempts += placed is not None
            first = first or placed
        return first


@contextmanager
def recorded(
    tape: tf.GradientTape, known: list[tuple[Any, Grid]], operations: Iterable[Any]
) -> Iterator[Recording]:
    """Record the calls of the layers inside some operations, as long as the context lasts.

    Args:
        tape: Persistent tape, which watches the tensors of `known`.
        known: The run's inputs and their grids.
        operations: Layers or models; the layers in them are recorded if they have a rule.
    """
    recording = Recording(tape, known)
    with ExitStack() as stack:
        for layer in with_rules(operations):
            stack.enter_context(tapped(layer, partial(_record, recording, layer)))
        yield recording


def _record(recording: Recording, layer: Any, output: Any, args: tuple[Any, ...], kwargs: Any) -> Any:
    """Record a call if its tensors are eager (inside a compiled function they are not)."""
    tensors = [x for x in keras.tree.flatten((args, kwargs)) if isinstance(x, tf.Tensor)]
    eager = isinstance(output, tf.Tensor) and hasattr(output, "numpy") and len(output.shape) == 4
    if eager and all(id(output) != id(x) for x in tensors):
        recording.calls.append((layer, tensors, output))
    return output


@contextmanager
def tapped(layer: Any, tap: Callable[[Any, tuple[Any, ...], dict[str, Any]], Any]) -> Iterator[None]:
    """Pass the output of a layer's calls through `tap(output, args, kwargs)` inside the context."""
    call, before = layer.call, layer.__dict__.get("call")

    def call_and_tap(*args: Any, **kwargs: Any) -> Any:
        return tap(call(*args, **kwargs), args, kwargs)

    # Bypasses Keras' own __setattr__, which only tracks layers and variables.
    layer.__dict__["call"] = call_and_tap
    try:
        yield
    finally:
        if before is None:
            del layer.__dict__["call"]
        else:
            layer.__dict__["call"] = before


def with_rules(operations: Iterable[Any]) -> list[Any]:
    """Return the operations inside operations that have a rule, at any depth, each once."""
    found, seen, left = [], set(), list(operations)
    while left:
        operation = left.pop()
        if id(operation) in seen:
            continue
        seen.add(id(operation))
        inner = [*getattr(operation, "_layers", []), *getattr(operation, "operations", [])]
        left.extend(inner)
        if rule_of(operation) is not None and not isinstance(operation, keras.Model):
            found.append(operation)
    return found
