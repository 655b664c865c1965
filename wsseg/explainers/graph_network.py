"""Functional and sequential models, nested ones included, split at the layer to explain."""

import warnings
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import keras
import numpy as np

from wsseg.backbones.alignment import grid_of, grids
from wsseg.errors import InputError, is_whole, nearest
from wsseg.explainers.channel_order import TO_FIRST, feature_order, permuted, takes_channels_first
from wsseg.explainers.flattening import Call, Flat, flattened
from wsseg.explainers.given_inputs import GivenInputs
from wsseg.explainers.graph_part import Part
from wsseg.explainers.graph_search import (
    coarsest,
    inputs_behind,
    is_spatial,
    sequences_behind,
    spatial_layers,
)
from wsseg.explainers.layer_choice import choose, hidden_layers
from wsseg.explainers.logits import logits_of
from wsseg.explainers.network import Network, Outputs
from wsseg.explainers.output_names import names_of, position
from wsseg.explainers.place_in_call import place_in_call
from wsseg.explainers.tapping import Tap
from wsseg.grid import Grid
from wsseg.layers.grid_rules import Unknown


class GraphNetwork(Network):
    """A functional or sequential model, split at a layer; both parts share its weights.

    A model that takes `(B, C, H, W)` gets its images in that order, and is explained by maps over height and width.
    Features whose axes are in another order than `(B, h, w, C)` are brought into this order for the explainers, if
    their order can be found.

    Args:
        model: Any functional or sequential model with an image among its inputs.
        layer: The layer to explain, or None for the last spatial features that the head reads. That is the last layer
            with an output `(B, h, w, C)` that every path from the image to the output passes through (in ResNet50
            the ReLU after the last addition, not a convolution before it). If the output itself is a map (a
            segmenter), it is the last layer of those with the largest stride. For the forms of a given layer see
            `wsseg.explainers.core.Explainer`.
        output: Name or position of the output that the default layer is chosen for; None for all outputs.
        at_layer: False to explain the image itself; then no layer is chosen.
        image: Name or position of the explained image among the model's inputs; None for the first image that the
            given layer, or else the output, depends on.

    Attributes:
        channels_first: Whether the user's images are `(B, C, H, W)`; `inputs` brings them into the order
            `(B, H, W, C)`.
        shapes: Shapes of the inputs that the other methods take, the image's channels last.

    Raises:
        InputError: The model takes no such image, has no such layer, or has no spatial layer.
    """

    def __init__(
        self,
        model: keras.Model,
        layer: Any = None,
        output: Any = None,
        at_layer: bool = True,
        image: str | int | None = None,
    ):
        self.model = model
        flat = flattened(model)
        self._inputs = flat.model.inputs
        self.given = GivenInputs(model)
        images = self.given.images
        if not images:
            shapes = [tuple(x.shape) for x in self._inputs]
            raise InputError(
                f"model `{model.name}` takes no image (batch, height, width, channels); its inputs are {shapes}"
            )
        self._structure = getattr(flat.model, "_outputs_struct", flat.model.outputs[0])
        self.layers = tuple(flat.model.output_names)
        self.names = names_of(self._structure, self.layers)
        self.spec = Outputs(self._structure, self._structure, self.names, self.layers)
        wanted = flat.model.outputs if output is None else [self.spec.one(output, logits=False)]
        chosen, self._tap = (None, None) if layer is None or not at_layer else self._given_layer(layer, flat)
        if image is None:
            behind = inputs_behind([call.output for call in chosen] if chosen else wanted, None)
            self.image = next((i for i in images if id(self._inputs[i]) in behind), images[0])
        else:
            self.image = self.given.position(image)
        self.channels_first = takes_channels_first(flat.model, self._inputs[self.image])
        self.shapes = [tuple(x.shape) for x in self._inputs]
        if self.channels_first:
            batch, channels, height, width = self.shapes[self.image]
            self.shapes[self.image] = (batch, height, width, channels)
        self.input_size, self.channels = self.shapes[self.image][1:3], self.shapes[self.image][3]
        self.flat, self.dtypes, self._tensor = flat.model, [x.dtype for x in self._inputs], None
        self.logits = tuple(logits_of(x) for x in flat.model.outputs)
        for note in {x.note for x in self.logits if x.note}:
            warnings.warn(f"model `{model.name}`: {note}", stacklevel=4)
        self._ends = [*flat.model.outputs, *(x.tensor for x in self.logits)]
        self._whole, self._in_floats = Part(self._inputs, self._ends), None
        self._order, self._depends_on_size = (0, 1, 2, 3), False
        if not at_layer:
            return
        if self._tap:
            self.layer, self.grid = self._tap.name, None
            self.why_unknown = "it is measured with the first batch"
            return
        name, tensor = self._choose(flat, chosen, wanted)
        call = next((call for call in flat.calls if call.output is tensor and call.name == name), None)
        self.layer = f"{name}#{call.number}" if call and flat.times(call.operation) > 1 else name
        found = grid_of(self.flat, tensor, self._inputs[self.image], self._axes)
        self._order = feature_order(found)
        self._set_grid(found)
        self._grids: dict[tuple[int, int], Grid | Unknown] = {}
        self._depends_on_size = found is Unknown.VARIES and None in self.input_size
        self.feature_channels = tensor.shape[self._order[-1]]
        self._features = Part(self._inputs, [tensor])
        reached = inputs_behind(self._ends, tensor)
        self._needed = [i for i, x in enumerate(self._inputs) if id(x) in reached]
        self._tensor, self._behind = tensor, [self._inputs[i] for i in self._needed]
        self._head = Part([tensor, *self._behind], self._ends)

    @property
    def _axes(self) -> tuple[int, int]:
        """Axes of the model's image that are height and width."""
        return (2, 3) if self.channels_first else (1, 2)

    def _set_grid(self, found: Grid | Unknown) -> None:
        self.grid = replace(found, axes=(1, 2)) if isinstance(found, Grid) else None
        self.why_unknown = found.value if isinstance(found, Unknown) else ""

    def prepare(self, inputs: Sequence[Any]) -> None:
        """Set `grid` for images of one size, if it depends on their size: a layer resizes to a fixed size."""
        if not self._depends_on_size:
            return
        size_hw = tuple(inputs[self.image].shape[1:3])
        if size_hw not in self._grids:
            shapes = [tuple(x.shape) for x in self._inputs]
            image = (*size_hw, self.channels)
            shapes[self.image] = (None, *(np.roll(image, 1) if self.channels_first else image))
            symbols = [keras.Input(batch_shape=one, dtype=x.dtype) for one, x in zip(shapes, self._inputs)]
            until = keras.Model(self._inputs, self._tensor)
            part = keras.Model(symbols, until._run_through_graph(symbols, operation_fn=lambda one: one))
            self._grids[size_hw] = grid_of(part, part.outputs[0], symbols[self.image], self._axes)
        found = self._grids[size_hw]
        same = isinstance(found, Grid) and feature_order(found) == self._order
        self._set_grid(found if same or isinstance(found, Unknown) else Unknown.VARIES)

    def _as_given(self, inputs: Sequence[Any]) -> list[Any]:
        """Return inputs with the image in the order of axes that the model takes."""
        inputs = list(inputs)
        if self.channels_first:
            inputs[self.image] = keras.ops.transpose(inputs[self.image], TO_FIRST)
        return inputs

    def _given_layer(self, layer: Any, flat: Flat) -> tuple[list[Call] | None, Tap | None]:
        """Return the calls that the user means, or the tap of a layer that the graph does not show."""
        calls, inner, number = choose(self.model, layer, flat.calls)
        if inner is not None:
            return None, Tap(inner, inner.name, -1 if number is None else number)
        if not calls:
            choices = list(spatial_layers(flat.model, self._inputs[self.given.images[0]]))
            self._refuse_an_input(layer)
            name = layer if isinstance(layer, str) else getattr(layer, "name", str(layer))
            raise InputError(
                f"`layer`: model `{self.model.name}` has no spatial layer `{name}`; {nearest(name, choices)} The last "
                f"ones are {', '.join(choices[-5:])}"
            )
        return calls, None

    def _refuse_an_input(self, layer: Any) -> None:
        """Refuse the input layer, the first of `model.layers`, by a name or a position."""
        inputs = [x for x in self.model.layers if isinstance(x, keras.layers.InputLayer)]
        chosen = self.model.layers[layer] if is_whole(layer) else layer
        if any(chosen is x or chosen == x.name for x in inputs):
            raise InputError(
                f"`layer`: `{getattr(chosen, 'name', chosen)}` is an input of model `{self.model.name}`; choose a "
                "layer after it, or a method that explains the image itself, such as `integrated_gradients`"
            )

    def _choose(self, flat: Flat, given: Sequence[Call] | None, outputs: Sequence[Any]) -> tuple[str, Any]:
        image = self._inputs[self.image]
        choices = spatial_layers(flat.model, image)
        name = self.model.name
        if given is not None:
            call = self._dependent(given, next(reversed(choices), None))
            return call.name, call.output
        if not choices:
            inside = hidden_layers(flat.calls)
            hint = f"; name a layer inside another with `layer=`: {', '.join(inside[-5:])}" if inside else ""
            raise InputError(
                f"model `{name}` has no layer with a (batch, height, width, channels) output{hint}"
            )
        if all(len(x.shape) == 4 for x in outputs):
            scores = {x.shape[-1] for x in outputs}  # class scores are not features
            return coarsest(
                {k: x for k, x in choices.items() if x.shape[-1] not in scores} or choices, grids(flat.model)
            )
        for found, tensor in reversed(choices.items()):
            if id(image) not in inputs_behind(outputs, tensor):
                return found, tensor
        raise InputError(
            f"model `{name}` has no spatial layer that every path from the image to the output passes through; name "
            f"the layer to explain with `layer=`, such as `{next(reversed(choices))}`"
        )

    def _dependent(self, calls: Sequence[Call], hint: str | None) -> Call:
        """Return the call with the highest number that depends on the image and has a height and a width."""
        image = self._inputs[self.image]
        behind = [call for call in calls if id(image) in inputs_behind([call.output], None)]
        name = calls[-1].name
        if not behind:
            several = (
                f"; call it by number, ({name!r}, 0), or choose the image"
                if len(self.given.images) > 1
                else ""
            )
            raise InputError(
                f"`layer`: layer `{name}` of model `{self.model.name}` does not depend on the image "
                f"`{self.given.names[self.image]}`{several}; choose a layer that does, such as `{hint}`"
            )
        spatial = [call for call in behind if is_spatial(call.output)]
        if not spatial:
            outputs = keras.tree.flatten(behind[-1].output)
            gives = tuple(outputs[0].shape) if len(outputs) == 1 else f"{len(outputs)} tensors"
            raise InputError(
                f"layer `{name}` of model `{self.model.name}` gives {gives}, which has no height and width; "
                f"choose a spatial layer, such as `{hint}`"
            )
        return max(spatial, key=lambda call: call.number)

    @property
    def tapped(self) -> bool:
        """Whether the explained layer lies inside another one, so that the graph does not show it."""
        return self._tap is not None

    def sequences_follow(self) -> bool:
        """Return whether tensors of rank 3, such as tokens, lie between the layer (or the image) and the outputs."""
        return sequences_behind(self._ends, self._tensor)

    def logits_of_features(self, output: Any) -> Part | None:
        """Return the head to one output's logits, as a function of the features.

        None if the head reads other inputs, or the layer's axes are in another order than `(B, h, w, C)`.
        """
        if self._tap or self._needed or self._order != (0, 1, 2, 3):
            return None
        logits = self._ends[len(self.names) :]
        return Part([self._tensor], [logits[position(output, self.names, self.layers)]])

    def inputs(self, given: Any) -> list[Any]:
        """Return the inputs in the model's order, from an array, a list, or a dict by the inputs' names."""
        found = self.given.arrays(given, self.dtypes)
        if self.channels_first:
            image = found[self.image]
            if image.ndim != 4 or self.channels not in (None, image.shape[1]):
                raise InputError(
                    f"`images` must be (B, {self.channels or 'C'}, H, W): model `{self.model.name}` takes the channels "
                    f"first; got {image.shape}; bring channels-last images into this order with "
                    "np.moveaxis(images, -1, 1)"
                )
        if self._tap and self._tap.count is None:
            self._tap.measure(lambda: self._whole([x[:1] for x in found]))
            self._find_place_of_tap(found)
        if self.channels_first:
            found[self.image] = np.moveaxis(found[self.image], 1, -1)
        return found

    def _find_place_of_tap(self, inputs: Sequence[np.ndarray]) -> None:
        """Measure where the cells of a layer inside another one look."""
        self.why_unknown = "only the last call of a layer inside another one is measured"
        if not self._tap.is_last:
            return

        def packed(given: Sequence[Any]) -> Any:
            structure = getattr(self.model, "_inputs_struct", None)  # a sequential model has one input
            return given[0] if structure is None else keras.tree.pack_sequence_as(structure, list(given))

        found = place_in_call(self.model, self._tap.tapped, packed, inputs, self.image, self._axes)
        self._order = feature_order(found)
        self._set_grid(found)

    def prepare_image_gradient(self, inputs: Sequence[Any]) -> None:
        """Copy the graph of a model that takes whole numbers, with the image as floats; compare the two."""
        if "float" in self.dtypes[self.image] or self._in_floats is not None:
            return
        flat = flattened(self.model, in_floats=[self.image]).model
        ends = [*flat.outputs, *(logits_of(x).tensor for x in flat.outputs)]
        in_floats = Part(flat.inputs, ends)
        inputs = self._as_given(inputs)
        for whole, copy in zip(self._whole(inputs), in_floats(inputs)):
            size = np.abs(whole).max(initial=0) + 1e-6
            if not np.allclose(whole, copy, rtol=1e-3, atol=1e-3 * size):
                raise InputError(
                    f"model `{self.model.name}` computes with the whole numbers ({self.dtypes[self.image]}) of its "
                    "image in a way that floats do not follow, so there is no gradient to the image; use `occlusion` "
                    "or `rise`, a method at a layer such as `grad_cam`, or build the model on a float input"
                )
        self._in_floats = in_floats

    def features(self, inputs: Sequence[Any]) -> Any:
        """Run the model up to the layer."""
        inputs = self._as_given(inputs)
        if self._tap:
            return permuted(self._tap.read(lambda: self._whole(inputs)), self._order)
        return permuted(self._features(inputs)[0], self._order)

    def head(self, features: Any, inputs: Sequence[Any]) -> Outputs:
        """Run the model from the layer on."""
        if self._tap:
            with self._tap.replaced(permuted(features, np.argsort(self._order))):
                return self.outputs(inputs)
        features = permuted(keras.ops.convert_to_tensor(features), np.argsort(self._order))
        inputs = self._as_given(inputs)
        return self._named(self._head([features, *(inputs[i] for i in self._needed)]))

    def outputs(self, inputs: Sequence[Any]) -> Outputs:
        """Run the whole model; an image of floats through the float copy of a model that takes whole numbers."""
        floats = (
            self._in_floats is not None and keras.ops.convert_to_tensor(inputs[self.image]).dtype.is_floating
        )
        return self._named((self._in_floats if floats else self._whole)(self._as_given(inputs)))

    def _named(self, flat: Sequence[Any]) -> Outputs:
        count = len(self.names)
        values, logits = (
            keras.tree.pack_sequence_as(self._structure, x) for x in (flat[:count], flat[count:])
        )
        return Outputs(values, logits, self.names, self.layers)
