"""The model to explain: its features at one layer, and the outputs that its head makes of them."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import keras

from wsseg.errors import InputError, nearest
from wsseg.grid import IMAGE, Grid


@dataclass(frozen=True)
class Outputs:
    """What a model gives.

    Attributes:
        values: Its outputs, in its own structure: a tensor, a list, or a dict.
        logits: The same before a final softmax or sigmoid, where there is one and it can be told.
        names: Of the outputs, in the order of `keras.tree.flatten`.
    """

    values: Any
    logits: Any
    names: tuple[str, ...]

    def one(self, name: str | int | None, logits: bool) -> Any:
        """Return one output by name or position; None where there is only one.

        Raises:
            InputError: No such output, or there are several and none is named.
        """
        flat = keras.tree.flatten(self.logits if logits else self.values)
        if name is None:
            if len(flat) == 1:
                return flat[0]
            raise InputError(
                f"the model has {len(flat)} outputs ({', '.join(self.names)}); say which with `output=`"
            )
        if isinstance(name, int) and -len(flat) <= name < len(flat):
            return flat[name]
        if name not in self.names:
            raise InputError(f"the model has no output `{name}`; {nearest(str(name), self.names)}")
        return flat[self.names.index(name)]


class Network:
    """A model in two parts: up to the explained layer, and from there on.

    Attributes:
        model: The user's model.
        layer: Name of the explained layer; "image" where the image itself is explained.
        grid: Where in the image the layer's cells look, or None where that can't be told.
        image: Position of the image among the model's inputs, as `keras.tree.flatten` orders them.
        input_size: `(H, W)` of the image, None for a side of any length.
        channels: Of the image.
        spec: Its outputs' shapes, as symbolic tensors.
    """

    model: keras.Model
    layer: str = "image"
    grid: Grid | None = IMAGE
    image: int = 0
    input_size: tuple[int | None, int | None] = (None, None)
    channels: int | None = None
    spec: Outputs

    def inputs(self, given: Any) -> list[Any]:
        """Return what the user gave as a flat list in the order of the model's inputs.

        Raises:
            InputError: Their number or names are not the model's.
        """
        raise TypeError(f"{type(self).__name__} must define `inputs`")

    def features(self, inputs: Sequence[Any]) -> Any:
        """Return the explained layer's output `(B, h, w, C)`, of the layer's dtype."""
        raise TypeError(f"{type(self).__name__} must define `features`")

    def head(self, features: Any, inputs: Sequence[Any]) -> Outputs:
        """Return the model's outputs with `features` in the place of the layer's output.

        The inputs are read only where the outputs depend on them past the layer.
        """
        raise TypeError(f"{type(self).__name__} must define `head`")

    def outputs(self, inputs: Sequence[Any]) -> Outputs:
        """Return the model's outputs."""
        raise TypeError(f"{type(self).__name__} must define `outputs`")
