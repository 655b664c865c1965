"""Subclassed models: the order of their layers is unknown, but a named layer's output can be read and replaced."""

import re
from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from wsseg.errors import InputError, is_whole
from wsseg.explainers.channel_order import TO_FIRST, feature_order, may_have_channels_first, permuted
from wsseg.explainers.given_inputs import as_array
from wsseg.explainers.layer_choice import layer_of
from wsseg.explainers.network import Network, Outputs
from wsseg.explainers.output_names import names_of
from wsseg.explainers.place_in_call import place_in_call
from wsseg.explainers.tapping import Tap
from wsseg.grid import Grid


class SubclassedNetwork(Network):
    """A model with its own `call`, explained at a layer that the user names.

    Both parts call the whole model; inside a compiled function, unneeded operations are not computed. The
    outputs are the model's own, since a final softmax or sigmoid can't be separated from the rest of `call`. Where the
    cells of the layer look is measured with the first batch (`wsseg.explainers.place_in_call`); until then `grid` is
    None.

    Args:
        model: Any `keras.Model`.
        layer: A layer of the model, at any depth, in any of the forms of `wsseg.explainers.core.Explainer`; if it is
            called several times and no call is chosen, its last call is explained.
        at_layer: False to explain the image itself.
        image: Position of the explained image among the inputs, or its key if they are a dict; None for the first.

    Raises:
        InputError: `layer` is missing, or the model has no such layer.
    """

    def __init__(
        self, model: keras.Model, layer: Any = None, at_layer: bool = True, image: str | int | None = None
    ):
        self.model, self._structure, self._image = model, None, image
        self.names: tuple[str, ...] = ()
        if at_layer:
            self.grid = None
            self.why_unknown = "it is measured with the first batch"
            found, self.layer, number = layer_of(model, layer)
            self._tap = Tap(found, self.layer, -1 if number is None else number)
        self.at_layer, self.channels_first, self._order = at_layer, False, (0, 1, 2, 3)

    def inputs(self, given: Any) -> list[Any]:
        """Return the inputs as a flat list; their structure is stored for the model's call."""
        nested = _nested(given)
        names = list(names_of(given)) if nested else ["image"]
        parts = keras.tree.flatten(given) if nested else [given]
        flat = [as_array(x, None, name, image=not nested) for x, name in zip(parts, names)]
        images = [i for i, x in enumerate(flat) if x.ndim == 4]
        if not images:
            raise InputError(f"there is no image (B, H, W, C) among the inputs {[x.shape for x in flat]}")
        self._structure, self.image = given if nested else None, self._chosen(images, names)
        flat = [
            x if x.dtype.kind in "iubOSU" and i != self.image else x.astype(np.float32)
            for i, x in enumerate(flat)
        ]
        if not self.names:  # the first batch builds the model and shows its outputs
            one = [x[:1] for x in flat]
            values = self._first(one)
            self.names = names_of(values)
            spec = keras.tree.map_structure(
                lambda x: keras.KerasTensor((None, *x.shape[1:]), x.dtype), values
            )
            self.spec = Outputs(spec, spec, self.names)
            self._find_place(flat)
            # its layers are built for these
            self.channels = one[self.image].shape[1 if self.channels_first else -1]
        if self.channels_first:
            flat[self.image] = np.moveaxis(flat[self.image], 1, -1)
        return flat

    def _find_place(self, flat: Sequence[np.ndarray]) -> None:
        """Measure where the layer's cells look, and whether the images have their channels first."""
        likely = may_have_channels_first(flat[self.image].shape)
        if not (self.at_layer or likely):
            return
        if self.at_layer and not self._tap.is_last:
            self.why_unknown = "only the last call of a layer is measured"
            return
        layer = self._tap.tapped if self.at_layer else None
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
        return permuted(self._tap.read(lambda: self._run(inputs)), self._order)

    def head(self, features: Any, inputs: Sequence[Any]) -> Outputs:
        """Run the model with the layer's output replaced."""
        with self._tap.replaced(permuted(features, np.argsort(self._order))):
            return self.outputs(inputs)

    def outputs(self, inputs: Sequence[Any]) -> Outputs:
        """Run the model."""
        values = self._run(inputs)
        return Outputs(values, values, self.names)

    def _run(self, inputs: Sequence[Any]) -> Any:
        return self.model(self._packed(inputs), training=False)

    def _first(self, inputs: Sequence[Any]) -> Any:
        """Run the model for the first time."""
        try:
            return self._tap.measure(lambda: self._run(inputs)) if self.at_layer else self._run(inputs)
        except InputError:
            raise
        except (TypeError, ValueError, KeyError, IndexError, tf.errors.OpError) as error:
            shapes = [x.shape for x in inputs]
            said = " ".join(re.sub(r"\x1b\[\d*m", "", str(error)).split())  # Keras prints in bold
            raise InputError(
                f"`images`: model `{self.model.name}` fails on inputs {shapes}: {type(error).__name__}: "
                f"{said[:500]}; check their order, size and number of channels with `model(images)`"
            ) from error

    def _packed(self, inputs: Sequence[Any]) -> Any:
        inputs = list(inputs)
        if self.channels_first:
            inputs[self.image] = keras.ops.transpose(inputs[self.image], TO_FIRST)
        return inputs[0] if self._structure is None else keras.tree.pack_sequence_as(self._structure, inputs)

    def _chosen(self, images: Sequence[int], names: Sequence[str]) -> int:
        if self._image is None:
            return images[0]
        index = names.index(self._image) if self._image in names else self._image
        if not is_whole(index) or index not in images:
            listed = ", ".join(f"{names[i]} ({i})" for i in images)
            raise InputError(
                f"`image` must be the name or the position of an image among the inputs, {listed}; got {self._image!r}"
            )
        return int(index)


def _nested(given: Any) -> bool:
    """Tell whether several inputs are given, and not one array or a list of images."""
    if isinstance(given, list):
        return bool(given) and hasattr(given[0], "shape") and any(np.ndim(x) != 3 for x in given)
    return isinstance(given, (dict, tuple))
