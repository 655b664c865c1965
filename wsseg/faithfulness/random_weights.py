"""Temporary random weights for some layers of a model."""

import contextlib
from collections.abc import Iterator, Sequence

import keras
import numpy as np


def layers_from_the_top(model: keras.Model) -> list[keras.layers.Layer]:
    """List the layers that have their own weights, from the output down to the image.

    A nested model is replaced by its layers; a layer that is used twice is listed once.

    Example:
        >>> layers = [keras.layers.Dense(2, name="first"), keras.layers.ReLU(), keras.layers.Dense(2, name="top")]
        >>> [layer.name for layer in layers_from_the_top(keras.Sequential([keras.Input((3,)), *layers]))]
        ['top', 'first']
    """
    found: dict[int, keras.layers.Layer] = {}

    def collect(part: keras.layers.Layer) -> None:
        inner = part.layers if isinstance(part, keras.Model) else list(getattr(part, "_layers", []))
        for layer in inner:
            collect(layer)
        within = {id(weight) for layer in inner for weight in layer.weights}
        if any(id(weight) not in within and _is_random(weight) for weight in part.weights):
            found.setdefault(id(part), part)

    collect(model)
    return list(found.values())[::-1]


@contextlib.contextmanager
def randomised(layers: Sequence[keras.layers.Layer], seed: int = 0) -> Iterator[None]:
    """Redraw all weights of some layers inside a `with` block; after it, the old weights are restored exactly.

    Each weight is drawn by the layer's own initializer. If there is none, or if it gives a kernel of
    equal numbers, the weight is drawn from a normal distribution with its own mean and standard deviation.

    Args:
        layers: Layers whose weights are redrawn.
        seed: Random seed; the same layers and seed give the same weights.

    Example:
        >>> layer = keras.layers.Dense(1, use_bias=False, kernel_initializer="ones")
        >>> layer.build((1, 2))
        >>> with randomised([layer]):
        ...     print(layer.kernel.numpy().ravel().tolist())
        [1.0, 1.0]
        >>> layer.kernel.assign([[1.0], [3.0]]).numpy().ravel().tolist()
        [1.0, 3.0]
    """
    owned = {
        id(weight): (layer, weight) for layer in layers for weight in layer.weights if _is_random(weight)
    }
    saved = [(weight, np.array(weight)) for _, weight in owned.values()]
    try:
        for number, (layer, weight) in enumerate(owned.values()):
            weight.assign(_drawn(layer, weight, seed * 100_003 + number))
        yield
    finally:
        for weight, value in saved:
            weight.assign(value)


def _is_random(weight: keras.Variable) -> bool:
    """Return True for weights, False for counters and the states of random generators."""
    return keras.backend.is_float_dtype(weight.dtype)


def _drawn(layer: keras.layers.Layer, weight: keras.Variable, seed: int) -> np.ndarray:
    initializer = getattr(layer, f"{weight.name}_initializer", None)
    old = np.array(weight, np.float32)
    if isinstance(initializer, keras.Initializer):
        options = initializer.get_config()
        if "seed" in options:
            options |= {"seed": seed}
        drawn = np.array(type(initializer).from_config(options)(weight.shape, dtype="float32"))
        if weight.ndim < 2 or drawn.std() > 0:
            return drawn
    return np.random.default_rng(seed).normal(old.mean(), old.std(), old.shape).astype(np.float32)
