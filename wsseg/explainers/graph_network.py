"""Functional and sequential models, nested ones included, split at the layer to explain."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import keras
import numpy as np

from wsseg.backbones.alignment import grid_of, grids
from wsseg.errors import InputError, nearest
from wsseg.explainers.channel_order import feature_order, permuted, takes_channels_first, with_channels_last
from wsseg.explainers.flattening import flatten
from wsseg.explainers.logits import logits_of
from wsseg.explainers.network import Network, Outputs
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
            segmenter), it is the last layer of those with the largest stride.
        output: Name or position of the output that the default layer is chosen for; None for all outputs.
        at_layer: False to explain the image itself; then no layer is chosen.

    Attributes:
        channels_first: Whether the user's images are `(B, C, H, W)`.

    Raises:
        InputError: The model takes no image, has no layer of that name, or has no spatial layer.
    """

    def __init__(
        self,
        model: keras.Model,
        layer: str | None = None,
        output: str | int | None = None,
        at_layer: bool = True,
    ):
        self.model, self._at_layer = model, at_layer
        flat = flatten(model)
        self.input_names = [x.name for x in model.inputs]
        images = [i for i, x in enumerate(flat.inputs) if len(x.shape) == 4]
        if not images:
            shapes = [tuple(x.shape) for x in flat.inputs]
            raise InputError(
                f"model `{model.name}` takes no image (batch, height, width, channels); its inputs are {shapes}"
            )
        self.image = images[0]
        self.channels_first = takes_channels_first(flat, flat.inputs[self.image])
        if self.channels_first:
            flat = with_channels_last(flat, self.image)
        self.input_size = tuple(flat.inputs[self.image].shape[1:3])
        self.channels = flat.inputs[self.image].shape[-1]
        self.dtypes = [x.dtype for x in flat.inputs]
        self._structure = getattr(flat, "_outputs_struct", flat.outputs[0])
        names = sorted(self._structure) if isinstance(self._structure, dict) else flat.output_names
        self.names = tuple(names)
        self.spec = Outputs(self._structure, self._structure, self.names)
        logits = [logits_of(x) for x in flat.outputs]
        self._ends = [*flat.outputs, *logits]
        self._whole = keras.Model(flat.inputs, self._ends, name="whole")
        if at_layer:
            wanted = flat.outputs
            if output is not None:
                wanted = [self.spec.one(output, logits=False)]
            self.layer, tensor = self._choose(flat, layer, wanted)
            found = grid_of(flat, tensor, flat.inputs[self.image])
            self._order = feature_order(found)
            self._set_grid(found)
            self._grids: dict[tuple[int, int], Any] = {}
            self._depends_on_size = found is Unknown.VARIES and None in self.input_size
            self.feature_channels = tensor.shape[self._order[-1]]
            self._features = keras.Model(flat.inputs, tensor, name="features")
            reached = inputs_behind(self._ends, tensor)
            self._needed = [i for i, x in enumerate(flat.inputs) if id(x) in reached]
            # Keras accepts each output only once, and no output that is also an input.
            self._apart = list({id(x): x for x in self._ends if x is not tensor}.values())
            self._tensor, self._behind = tensor, [flat.inputs[i] for i in self._needed]
            self._head = keras.Model([tensor, *self._behind], self._apart, name="head")

    def _set_grid(self, found: Grid | Unknown) -> None:
        self.grid = replace(found, axes=(1, 2)) if isinstance(found, Grid) else None
        self.why_unknown = found.value if isinstance(found, Unknown) else ""

    def settle(self, size_hw: tuple[int, int]) -> None:
        """Set `grid` for images of one size, if it depends on their size: a layer resizes to a fixed size."""
        if not (self._at_layer and self._depends_on_size):
            return
        if size_hw not in self._grids:
            shapes = [tuple(x.shape) for x in self._features.inputs]
            shapes[self.image] = (None, *size_hw, self.channels)
            inputs = [
                keras.Input(batch_shape=shape, dtype=x.dtype)
                for shape, x in zip(shapes, self._features.inputs)
            ]
            tensor = self._features._run_through_graph(inputs, operation_fn=lambda operation: operation)
            part = keras.Model(inputs, tensor)
            self._grids[size_hw] = grid_of(part, part.outputs[0], inputs[self.image])
        found = self._grids[size_hw]
        same = isinstance(found, Grid) and feature_order(found) == self._order
        self._set_grid(found if same or isinstance(found, Unknown) else Unknown.VARIES)

    def _choose(self, flat: keras.Model, layer: str | None, outputs: Sequence[Any]) -> tuple[str, Any]:
        image = flat.inputs[self.image]
        choices = spatial_layers(flat, image)
        name = self.model.name
        if layer is not None and layer not in choices:
            shapes = {x.name: x.output.shape for x in flat.layers if not isinstance(x.output, list)}
            if layer in shapes:
                raise InputError(
                    f"layer `{layer}` of model `{name}` gives {tuple(shapes[layer])}, which has no height and width; "
                    f"choose a spatial layer, such as `{next(reversed(choices), None)}`"
                )
            raise InputError(
                f"model `{name}` has no spatial layer `{layer}`; {nearest(layer, choices)} The last ones are "
                f"{', '.join(list(choices)[-5:])}"
            )
        if not choices:
            raise InputError(f"model `{name}` has no layer with a (batch, height, width, channels) output")
        if layer is not None:
            return layer, choices[layer]
        if all(len(x.shape) == 4 for x in outputs):
            scores = {x.shape[-1] for x in outputs}  # class scores are not features
            return _coarsest(
                {k: x for k, x in choices.items() if x.shape[-1] not in scores} or choices, grids(flat)
            )
        for found, tensor in reversed(choices.items()):
            if id(image) not in inputs_behind(outputs, tensor):
                return found, tensor
        raise InputError(
            f"model `{name}` has no spatial layer that every path from the image to the output passes through; name "
            f"the layer to explain with `layer=`, such as `{next(reversed(choices))}`"
        )

    def logits_of_features(self, output: str | int | None) -> keras.Model | None:
        """Return the head to one output's logits, as a model of the features.

        None if the head reads other inputs, or the layer's axes are in another order than `(B, h, w, C)`.
        """
        if self._needed or self._order != (0, 1, 2, 3):
            return None
        ends = keras.tree.pack_sequence_as(self._structure, self._ends[len(self.names) :])
        return keras.Model(self._tensor, Outputs(ends, ends, self.names).one(output, logits=True))

    def inputs(self, given: Any) -> list[Any]:
        """Return the inputs in the model's order, from an array, a list, or a dict by the inputs' names."""
        if isinstance(given, dict):
            missing = [name for name in self.input_names if name not in given]
            if missing or len(given) != len(self.input_names):
                raise InputError(
                    f"model `{self.model.name}` takes the inputs {', '.join(self.input_names)}; got "
                    f"{', '.join(map(str, given))}"
                )
            given = [given[name] for name in self.input_names]
        elif len(self.input_names) == 1 and not isinstance(given, tuple):
            given = [given]
        if not isinstance(given, (list, tuple)) or len(given) != len(self.input_names):
            raise InputError(
                f"model `{self.model.name}` takes {len(self.input_names)} inputs ({', '.join(self.input_names)}); "
                "give a list in that order, or a dict"
            )
        arrays = [np.asarray(x, dtype=dtype) for x, dtype in zip(given, self.dtypes)]
        if self.channels_first:
            image = arrays[self.image]
            if image.ndim != 4 or self.channels not in (None, image.shape[1]):
                raise InputError(
                    f"`images` must be (B, {self.channels or 'C'}, H, W): model `{self.model.name}` takes the channels "
                    f"first; got {image.shape}; bring channels-last images into this order with "
                    "np.moveaxis(images, -1, 1)"
                )
            arrays[self.image] = np.moveaxis(image, 1, -1)
        return arrays

    def features(self, inputs: Sequence[Any]) -> Any:
        """Run the model up to the layer."""
        return permuted(self._features(_tensors(inputs), training=False), self._order)

    def head(self, features: Any, inputs: Sequence[Any]) -> Outputs:
        """Run the model from the layer on."""
        features = permuted(keras.ops.convert_to_tensor(features), np.argsort(self._order))
        found = self._head(_tensors([features, *(inputs[i] for i in self._needed)]), training=False)
        values = {id(x): value for x, value in zip(self._apart, keras.tree.flatten(found))} | {
            id(self._tensor): features
        }
        return self._named([values[id(x)] for x in self._ends])

    def outputs(self, inputs: Sequence[Any]) -> Outputs:
        """Run the whole model."""
        return self._named(self._whole(_tensors(inputs), training=False))

    def _named(self, flat: Sequence[Any]) -> Outputs:
        count = len(self.names)
        values, logits = (
            keras.tree.pack_sequence_as(self._structure, x) for x in (flat[:count], flat[count:])
        )
        return Outputs(values, logits, self.names)


def _tensors(arrays: Sequence[Any]) -> list[Any]:
    return [keras.ops.convert_to_tensor(x) for x in arrays]


def spatial_layers(flat: keras.Model, image: Any) -> dict[str, Any]:
    """List the spatial layers that depend on the image.

    The output of a global pooling that keeps its dimensions, `(B, 1, 1, C)`, is not spatial.

    Args:
        flat: Flat model, from `wsseg.explainers.flattening.flatten`.
        image: The image's symbolic input.

    Returns:
        Layer name -> output tensor `(B, h, w, C)`, in the order in which the layers run.
    """
    # A shared layer has a node in each model that contains it, and `layer.output` belongs to the first node.
    # Therefore the nodes of this graph are visited instead, in the order in which they run.
    result, behind = {}, {id(image)}
    for depth in sorted(flat._nodes_by_depth, reverse=True):
        for node in flat._nodes_by_depth[depth]:
            if node.is_input or not behind & {id(x) for x in node.input_tensors}:
                continue
            behind |= {id(x) for x in node.outputs}
            shape = tuple(node.outputs[0].shape)
            if len(node.outputs) == 1 and len(shape) == 4 and shape[1:3] != (1, 1):
                result.pop(node.operation.name, None)  # called twice: keep the later call
                result[node.operation.name] = node.outputs[0]
    return result


def inputs_behind(outputs: Sequence[Any], stop: Any) -> set[int]:
    """Return the ids of the inputs that the outputs depend on by paths that do not contain the tensor `stop`."""
    reached, seen, left = set(), {id(stop)}, list(outputs)
    while left:
        tensor = left.pop()
        if id(tensor) in seen:
            continue
        seen.add(id(tensor))
        operation, index, _ = tensor._keras_history
        node = operation._inbound_nodes[index]
        if node.is_input:
            reached.add(id(tensor))
        left.extend(node.input_tensors)
    return reached


def _coarsest(choices: dict[str, Any], places: dict[int, Grid]) -> tuple[str, Any]:
    """Return the last of the layers with the largest stride."""
    known = {name: places[id(x)].stride_hw[0] for name, x in choices.items() if id(x) in places}
    if not known:
        return next(reversed(choices.items()))
    name = next(name for name in reversed(known) if known[name] == max(known.values()))
    return name, choices[name]
