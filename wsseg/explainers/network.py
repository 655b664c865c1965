"""The model to explain: its features at one layer, and the outputs that its head computes from them."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import keras

from wsseg.explainers.logits import Logits
from wsseg.explainers.output_names import position
from wsseg.grid import IMAGE, Grid
from wsseg.layers.grid_rules import Unknown


@dataclass(frozen=True)
class Outputs:
    """Outputs of a model.

    Attributes:
        values: The outputs in the model's own structure: a tensor, or lists and dicts of tensors.
        logits: The outputs before a final softmax or sigmoid, if there is one and it can be found; else as `values`.
        names: Names of the outputs, in the order of `keras.tree.flatten`; see `wsseg.explainers.output_names`.
        layers: Names of the layers that make the outputs, in the same order; empty if unknown.
    """

    values: Any
    logits: Any
    names: tuple[str, ...]
    layers: tuple[str, ...] = ()

    def one(self, name: Any, logits: bool) -> Any:
        """Return one output.

        Args:
            name: Name, path or position of the output; None for the only output.
            logits: Whether to return it from `logits` instead of `values`.

        Raises:
            InputError: There is no such output, or there are several outputs and none is named.
        """
        flat = keras.tree.flatten(self.logits if logits else self.values)
        return flat[position(name, self.names, self.layers)]


class Network:
    """A model in two parts: up to the explained layer, and from there on.

    Attributes:
        model: The user's model.
        layer: Name of the explained layer; "image" if the image itself is explained.
        grid: Where in the image the layer's cells look, or None if unknown.
        why_unknown: The reason why `grid` is None.
        image: Index of the explained image among the model's inputs, in the order of `keras.tree.flatten`.
        input_size: `(H, W)` of the image; None for a side of any length.
        channels: Number of channels of the image; None for any.
        spec: Shapes of the model's outputs, as symbolic tensors.
        names: Names of the outputs, in the order of `keras.tree.flatten`.
        logits: What was found before each output's final activation, in the order of `names`; None if a model's
            operations are unknown.
        variant: What of the images a compiled function depends on beside their number; None for nothing.
    """

    model: keras.Model
    layer: str = "image"
    grid: Grid | None = IMAGE
    why_unknown: str = Unknown.NO_RULE.value
    image: int = 0
    input_size: tuple[int | None, int | None] = (None, None)
    channels: int | None = None
    spec: Outputs
    names: tuple[str, ...] = ()
    logits: tuple[Logits, ...] | None = None
    variant: Any = None

    def inputs(self, given: Any) -> list[Any]:
        """Return the user's inputs as a flat list in the order of the model's inputs.

        Raises:
            InputError: Their number or names do not match the model's inputs.
        """
        raise TypeError(f"{type(self).__name__} must define `inputs`")

    def prepare_image_gradient(self, inputs: Sequence[Any]) -> None:
        """Make ready to differentiate with respect to the image, given as float32 to `outputs`.

        Args:
            inputs: The model's inputs as a flat list of arrays, from `inputs`.

        Raises:
            InputError: The model computes with whole numbers, so that there is no such gradient.
        """

    def prepare(self, inputs: Sequence[Any]) -> None:
        """Look at inputs before they are explained, outside a compiled function; set `grid` if it depends on them."""

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
