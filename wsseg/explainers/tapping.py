"""Read and replace the output of one call of a layer while a model runs, wherever in the model the layer is."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import keras

from wsseg.errors import InputError


class Tap:
    """One call of a layer inside a model whose graph does not show the layer.

    Args:
        layer: The layer.
        name: Name of the layer for messages.
        number: Number of the call, from 0, in the order in which the calls run; negative from the end.

    Attributes:
        tapped: The layer.
        name: See above.
        count: Number of calls in one run of the model; None before `measure`.
    """

    def __init__(self, layer: keras.layers.Layer, name: str, number: int = -1):
        self.tapped, self.name, self._number, self.count = layer, name, number, None

    @property
    def is_last(self) -> bool:
        """Whether the chosen call is the last one of a run."""
        return self.count is not None and self._number % self.count == self.count - 1

    def measure(self, run: Callable[[], Any], rows: int = 1) -> Any:
        """Run the model once on numbers, and count the layer's calls.

        Args:
            run: Function that calls the model.
            rows: Number of images in this run.

        Returns:
            What `run` returns.

        Raises:
            InputError: The layer is not called, has no such call, or its output is no map of features.
        """
        run()  # the first call of a model builds it, which calls its layers too
        taken, result = self._taken(run)
        self.count = len(taken)
        if not taken:
            raise InputError(
                f"`layer`: layer `{self.name}` is not used when the model is called; choose another layer"
            )
        if not -len(taken) <= self._number < len(taken):
            raise InputError(
                f"`layer`: layer `{self.name}` is called {len(taken)} times, so its calls are numbered 0 to "
                f"{len(taken) - 1}; got {self._number}"
            )
        shape = getattr(taken[self._number], "shape", None)
        if shape is not None and len(shape) == 4 and shape[0] != rows:
            raise InputError(
                f"`layer`: layer `{self.name}` gives {shape[0]} rows for {rows} image, so it runs on parts of the "
                "image and its cells have no known place; choose another layer"
            )
        if shape is None or len(shape) != 4:
            raise InputError(
                f"layer `{self.name}` gives {type(taken[0]).__name__ if shape is None else tuple(shape)}, which has "
                "no height and width; choose a layer with an output (batch, height, width, channels)"
            )
        return result

    def read(self, run: Callable[[], Any]) -> Any:
        """Run the model and return the output of the chosen call."""
        return self._taken(run)[0][self._number]

    @contextmanager
    def replaced(self, features: Any) -> Iterator[None]:
        """Replace the output of the chosen call inside the context; other calls of the layer stay as they are."""
        wanted, seen = self._number % self.count, 0

        def replace(output: Any) -> Any:
            nonlocal seen
            seen += 1
            return keras.ops.cast(features, output.dtype) if seen == wanted + 1 else output

        with _tapped(self.tapped, replace):
            yield

    def _taken(self, run: Callable[[], Any]) -> tuple[list[Any], Any]:
        taken: list[Any] = []

        def take(output: Any) -> Any:
            taken.append(output)
            return output

        with _tapped(self.tapped, take):
            result = run()
        return taken, result


@contextmanager
def _tapped(layer: keras.layers.Layer, tap: Callable[[Any], Any]) -> Iterator[None]:
    """Pass the layer's output through `tap` inside the context."""
    call = layer.call
    # Bypasses Keras' own __setattr__, which only tracks layers and variables.
    layer.__dict__["call"] = lambda *args, **kwargs: tap(call(*args, **kwargs))
    try:
        yield
    finally:
        del layer.__dict__["call"]
