"""The model to explain: its features at one layer, and the outputs that its head computes from them."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import keras

from wsseg.errors import InputError, nearest
from wsseg.grid import IMAGE, Grid
from wsseg.layers.grid_rules import Unknown


@dataclass(frozen=True)
class Outputs:
    """Outputs of a model.

    Attributes:
        values: The outputs in the model's own structure: a tensor, a list, or a dict.
        logits: The outputs before a final softmax or sigmoid, if there is one and it can be found; else as `values`.
        names: Names of the outputs, in the order of `keras.tree.flatten`.
    """

    values: Any
    logits: Any
    names: tuple[str, ...]

    def one(self, name: str | int | None, logits: bool) -> Any:
        """Return one output.

        Args:
            name: Name or position of the output; None for the only output.
            logits: Whether to return it from `logits` instead of `values`.

        Raises:
            InputError: There is no such output, or there are several outputs and none is named.
        """
        flat = keras.tree.flatten(self.logits if logits else self.values)
        if name is None:
            if len(flat) == 1:
                return flat[0]
            raise InputError(
                f"the model has {len(flat)} outputs ({', '.join(self.names)}); choose one with `output=`"
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
        layer: Name of the explained layer; "image" if the image itself is explained.
        grid: Where in the image the layer's cells look, or None if unknown.
        why_unknown: The reason why `grid` is None.
        image: Index of the image among the model's inputs, in the order of `keras.tree.flatten`.
        input_size: `(H, W)` of the image; None for a side of any length.
        channels: Number of channels of the image; None for any.
        spec: Shapes of the model's outputs, as symbolic tensors.
    """

    model: keras.Model
    layer: str = "image"
    grid: Grid | None = IMAGE
    why_unknown: str = Unknown.NO_RULE.value
    image: int = 0
    input_size: tuple[int | None, int | None] = (None, None)
    channels: int | None = None
    spec: Outputs

    def inputs(self, given: Any) -> list[Any]:
        """Return the user's inputs as a flat list in the order of the model's inputs.

        Raises:
            InputError: Their number or names do not match the model's inputs.
        """
        raise TypeError(f"{type(self).__name__} must define `inputs`")

    def settle(self, size_hw: tuple[int, int]) -> None:
        """Set `grid` for images of one size, if it depends on their size."""

    def features(self, inputs: Sequence[Any]) -> Any:
        """Return the explained layer's output `(B, h, w, C)`, of the layer's dtype."""
        raise TypeError(f"{type(self).__name__} must define `features`")

    def head(self, features: Any, inputs: Sequence[Any]) -> Outputs:
        """Return the model's outputs with the layer's output replaced by `features`.

        The inputs are read only if the outputs depend on them by paths that bypass the layer.
        """
        raise TypeError(f"{type(self).__name__} must define `head`")

    def outputs(self, inputs: Sequence[Any]) -> Outputs:
        """Return the model's outputs."""
        raise TypeError(f"{type(self).__name__} must define `outputs`")
