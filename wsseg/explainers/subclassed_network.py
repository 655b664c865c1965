"""Subclassed models: the order of their layers is unknown, but a named layer's output can be read and replaced."""

from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from typing import Any

import keras
import numpy as np

from wsseg.backbones.recorded_calls import tapped
from wsseg.errors import InputError, nearest
from wsseg.explainers.channel_order import TO_FIRST, feature_order, may_have_channels_first, permuted
from wsseg.explainers.network import Network, Outputs
from wsseg.explainers.place_in_call import place_in_call
from wsseg.grid import Grid


class SubclassedNetwork(Network):
    """A model with its own `call`, explained at a layer that the user names.

    Both parts call the whole model; inside a compiled function, unneeded operations are not computed. The
    outputs are the model's own, since a final softmax or sigmoid can't be separated from the rest of `call`. Where the
    cells of the layer look is measured with the first batch (`wsseg.explainers.place_in_call`); until then `grid` is
    None.

    Args:
        model: Any `keras.Model`.
        layer: Name of a layer of the model, at any depth; if it is called several times, its last call is explained.
        at_layer: False to explain the image itself.

    Raises:
        InputError: `layer` is missing, or the model has no such layer.
    """

    def __init__(self, model: keras.Model, layer: str | None = None, at_layer: bool = True):
        self.model, self._structure = model, None
        self.names: tuple[str, ...] = ()
        if at_layer:
            self.grid = None
            self.why_unknown = "it is measured with the first batch"
            found = {part.name: part for part in model._flatten_layers(include_self=False)}
            if layer is None or layer not in found:
                hint = f"choose one of: {', '.join(found)}" if layer is None else nearest(layer, found)
                wrong = "name the layer to explain with `layer=`" if layer is None else f"no layer `{layer}`"
                raise InputError(
                    f"model `{model.name}` is a subclassed {type(model).__name__}: {wrong}; {hint}"
                )
            self.layer, self._layer = layer, found[layer]
        self.at_layer, self.channels_first, self._order = at_layer, False, (0, 1, 2, 3)

    def inputs(self, given: Any) -> list[Any]:
        """Return the inputs as a flat list; their structure is stored for the model's call."""
        flat = [np.asarray(x) for x in keras.tree.flatten(given)] if _nested(given) else [np.asarray(given)]
        images = [i for i, x in enumerate(flat) if x.ndim == 4]
        if not images:
            raise InputError(f"there is no image (B, H, W, C) among the inputs {[x.shape for x in flat]}")
        self._structure, self.image = given if _nested(given) else None, images[0]
        flat = [
            x if x.dtype.kind in "iub" and i != self.image else x.astype(np.float32)
            for i, x in enumerate(flat)
        ]
        if not self.names:  # the first batch builds the model and shows its outputs
            values = self.model(self._packed(flat), training=False)
            flat_values = keras.tree.flatten(values)
            names = (
                sorted(values)
                if isinstance(values, dict)
                else [f"output_{i}" for i in range(len(flat_values))]
            )
            self.names = tuple(names)
            spec = keras.tree.map_structure(
                lambda x: keras.KerasTensor((None, *x.shape[1:]), x.dtype), values
            )
            self.spec = Outputs(spec, spec, self.names)
            self._find_place(flat)
        if self.channels_first:
            flat[self.image] = np.moveaxis(flat[self.image], 1, -1)
        return flat

    def _find_place(self, flat: Sequence[np.ndarray]) -> None:
        """Measure where the layer's cells look, and whether the images have their channels first."""
        layer = self._layer if self.at_layer else None
        shape = flat[self.image].shape
        likely = may_have_channels_first(shape)
        if not (self.at_layer or likely):
            return
        measure = partial(place_in_call, self.model, layer, self._packed, flat, self.image)
        found = measure((1, 2))
        if likely and not isinstance(found, Grid):
            first = measure((2, 3))
            if isinstance(first, Grid):
                self.channels_first, found = True, first
        if not self.at_layer:
            return
        self._order = feature_order(found)
        self.grid = replace(found, axes=(1, 2)) if isinstance(found, Grid) else None
        self.why_unknown = "" if isinstance(found, Grid) else found.value

    def features(self, inputs: Sequence[Any]) -> Any:
        """Run the model and read the layer's output."""
        taken: list[Any] = []

        def take(output: Any, args: Any, kwargs: Any) -> Any:
            taken.append(output)
            return output

        with tapped(self._layer, take):
            self.model(self._packed(inputs), training=False)
        if not taken:
            raise InputError(f"layer `{self.layer}` is not used when model `{self.model.name}` is called")
        if len(getattr(taken[-1], "shape", ())) != 4:
            raise InputError(
                f"layer `{self.layer}` gives {getattr(taken[-1], 'shape', type(taken[-1]))}, which has no height and "
                "width; choose a layer with an output (batch, height, width, channels)"
            )
        return permuted(taken[-1], self._order)

    def head(self, features: Any, inputs: Sequence[Any]) -> Outputs:
        """Run the model with the layer's output replaced."""
        features = permuted(features, np.argsort(self._order))
        with tapped(self._layer, lambda output, *_: keras.ops.cast(features, output.dtype)):
            return self.outputs(inputs)

    def outputs(self, inputs: Sequence[Any]) -> Outputs:
        """Run the model."""
        values = self.model(self._packed(inputs), training=False)
        return Outputs(values, values, self.names)

    def _packed(self, inputs: Sequence[Any]) -> Any:
        inputs = list(inputs)
        if self.channels_first:
            inputs[self.image] = keras.ops.transpose(inputs[self.image], TO_FIRST)
        return inputs[0] if self._structure is None else keras.tree.pack_sequence_as(self._structure, inputs)


def _nested(given: Any) -> bool:
    return isinstance(given, (dict, tuple)) or (isinstance(given, list) and hasattr(given[0], "shape"))
