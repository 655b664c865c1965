"""A model and its two halves as plain functions, and the parts that small models are built of.

The halves are the same layers called eagerly, without any graph: `trunk` from the inputs to the explained features, and
`head` from these to the scores before a final softmax or sigmoid. A gradient tape over them is independent of how the
package finds a layer and splits a model.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import keras
import numpy as np
from keras import layers, ops

SIDE = 16
SHAPES: dict[str, Callable[[], "Shape"]] = {}
"""Name, as in the documentation's table -> function that builds the model."""


@dataclass
class Shape:
    """A model and its halves.

    Attributes:
        model: The model.
        inputs: Two rows of each input, in the model's order.
        trunk: Function from the inputs to the explained features.
        head: Function from the features and the inputs to the scores `(B, K)`.
        options: Options of the explainer at a layer; `output` and `image` are those of every explainer.
        classes: Explained class of each image.
        image: Position of the explained image among the inputs.
        targets: Target, if it is no class.
        refused: Methods that must refuse the model -> part of the message.
        tolerance: Relative error that the model's dtype allows.
    """

    model: keras.Model
    inputs: Sequence[np.ndarray]
    trunk: Callable[..., Any]
    head: Callable[..., Any]
    options: dict[str, Any] = field(default_factory=dict)
    classes: tuple[int, int] = (1, 0)
    image: int = 0
    targets: Any = None
    refused: dict[str, str] = field(default_factory=dict)
    tolerance: float = 1e-4


NO_CAM = {"cam": "use `grad_cam`"}


def shape(name: str):
    """Put a function into the table of shapes."""

    def put(build: Callable[[], Shape]) -> Callable[[], Shape]:
        SHAPES[name] = build
        return build

    return put


def images(channels: int = 3, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).uniform(0, 1, (2, SIDE, SIDE, channels)).astype("float32")


def conv(filters: int = 4, **options: Any) -> layers.Layer:
    """Return a convolution of stride 2, whose bias keeps its channels from being 0 everywhere."""
    options = {"strides": 2, "padding": "same", "activation": "relu"} | options
    return layers.Conv2D(filters, 3, bias_initializer=keras.initializers.Constant(0.1), **options)


def chain(*parts: Callable) -> Callable:
    """Return the function that calls layers one after the other; further arguments are ignored."""

    def run(tensor: Any, *others: Any) -> Any:
        for part in parts:
            tensor = part(tensor)
        return tensor

    return run


def pooled(classes: int = 3) -> Callable:
    return chain(layers.GlobalAveragePooling2D(), layers.Dense(classes))


def plain(trunk: Callable, head: Callable, final: Any = ops.softmax, channels: int = 3, **more: Any) -> Shape:
    """Return a functional model of one image."""
    image = keras.Input((SIDE, SIDE, channels))
    return Shape(keras.Model(image, final(head(trunk(image)))), [images(channels)], trunk, head, **more)
