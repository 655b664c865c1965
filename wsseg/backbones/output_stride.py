"""A smaller output stride for any Functional network: strides become dilations, and the weights do not change.

From the first layer on whose total stride would pass the limit, each stride becomes 1, and the dilation of all later
layers is multiplied by it (the "hole algorithm" of Chen et al., ICLR 2015, section 3.1).
"""

import copy
import math
from collections.abc import Iterable, Iterator
from typing import Any

import keras

from wsseg.backbones.dilation import (
    NO_PADS,
    UPSAMPLINGS,
    WINDOWS,
    Entry,
    Grid,
    Rewritten,
    dilate_window,
    dilate_zero_padding,
    enlarge,
    undilatable,
)
from wsseg.backbones.pointwise import GLOBAL, POINTWISE
from wsseg.errors import InputError


def with_output_stride(model: keras.Model, output_stride: int, pointwise: Iterable[str] = ()) -> keras.Model:
    """Return a copy of a network whose features have a smaller output stride.

    The copy has the same layer names, dtypes and structure of outputs. It has its own copy of the weights and isn't
    compiled. If the sizes in the original are divisible by its strides, each output that is oversampled r times
    contains the original's values: `dense[:, ::r, ::r] == original`, up to rounding. At other sizes this holds away
    from the bottom and right borders. There is one exception: if a strided layer with "same" padding gets an odd size,
    TensorFlow shifts its zeros by one, and the copy can follow that only if the network's input size is fixed. Layers
    that pool globally (squeeze and excitation) pool the dense map instead, so with them the equality is not exact.

    Args:
        model: A Functional (or built Sequential) network, channels last, of convolutions, max poolings and
            pointwise layers; nested networks are rewritten too.
        output_stride: Largest stride of the copy, one of the strides inside the network (1, 2, 4, ...). At the
            network's own stride the outputs of the copy equal the original's exactly.
        pointwise: Class names of further layers that treat each position alone.

    Returns:
        A Functional model.

    Raises:
        InputError: The stride is none of the network's, or a layer after the first removed stride can't be dilated;
            the message names the layer.

    Example:
        >>> import keras
        >>> image = keras.Input((64, 64, 3))
        >>> x = keras.layers.Conv2D(4, 3, strides=2, padding="same")(image)
        >>> x = keras.layers.MaxPooling2D(2)(x)
        >>> network = keras.Model(image, keras.layers.Conv2D(4, 3, padding="same")(x))
        >>> network.output_shape, with_output_stride(network, 2).output_shape
        ((None, 16, 16, 4), (None, 32, 32, 4))
    """
    config = model.get_config()
    if not {"layers", "input_layers"} <= set(config):  # a Sequential, or a class that is Functional inside
        if not getattr(model, "inputs", None):
            raise InputError(f"`{model.name}` isn't a Functional network; build it from `keras.Input` on")
        # A Sequential network has no `output` before it is called.
        output = model.outputs[0] if isinstance(model, keras.Sequential) else model.output
        model = keras.Model(model.inputs, output, name=model.name)
        config = model.get_config()
    copied = keras.Model.from_config(rewritten_config(config, output_stride, pointwise))
    copy_weights(model, copied)
    return copied


def rewritten_config(
    config: dict[str, Any], output_stride: int, pointwise: Iterable[str] = ()
) -> dict[str, Any]:
    """Rewrite the config of a Functional network; for the errors see `with_output_stride`.

    Args:
        config: Its `get_config()`, which is not changed.
        output_stride: Largest stride of the rewritten network.
        pointwise: Class names of further layers that treat each position alone.

    Returns:
        The new config.
    """
    survey = _Rewriting(math.inf, POINTWISE | set(pointwise))
    survey.functional(copy.deepcopy(config), None)
    legal = sorted(int(stride) for stride in survey.strides if stride == int(stride))
    if output_stride not in legal:
        raise InputError(
            f"`output_stride` of `{config['name']}` can't be {output_stride!r}; "
            f"choose one of: {', '.join(map(str, legal))}"
        )
    config = copy.deepcopy(config)
    _Rewriting(output_stride, POINTWISE | set(pointwise)).functional(config, None)
    return config


def copy_weights(source: keras.Model, target: keras.Model, names: dict[str, str] | None = None) -> None:
    """Copy weights layer by layer, by name, also into nested networks.

    Args:
        source: The network to copy from.
        target: The network to copy to, which has all layers of `source`.
        names: Layer name in `source` -> layer name in `target`, for layers whose names differ.
    """
    for layer in source.layers:
        if not layer.weights:
            continue
        twin = target.get_layer((names or {}).get(layer.name, layer.name))
        if isinstance(layer, keras.Model):
            copy_weights(layer, twin)
            continue
        twin.set_weights(layer.get_weights())
        if isinstance(twin, keras.layers.Normalization):
            twin.finalize_state()  # the layer computes with constants made from its weights


class _Rewriting:
    """One pass over a network's config, which is changed in place."""

    def __init__(self, limit: float, pointwise: frozenset[str]):
        self.limit = limit
        self.pointwise = pointwise
        self.strides: set[Any] = {1}

    def functional(self, config: dict[str, Any], inputs: list[Grid | None] | None) -> list[Grid | None]:
        """Rewrite a Functional network's config.

        Args:
            config: The config, changed in place.
            inputs: Grids of a nested network's inputs; None for the outermost network.

        Returns:
            The grids of its outputs, flattened.
        """
        entries: dict[str, Entry] = {entry["name"]: entry for entry in config["layers"]}
        order = [reference[0] for reference in _references(config["input_layers"])]
        given = dict(zip(order, inputs)) if inputs is not None else {}
        outputs = _references(config["output_layers"])
        consumers = _consumers(config["layers"], outputs)

        grids: dict[tuple[str, int], list[Grid | None]] = {}
        results: dict[str, Rewritten] = {}
        pending = []
        for entry in config["layers"]:
            if entry["class_name"] == "InputLayer":
                grids[entry["name"], 0] = [self._input(entry, given.get(entry["name"]))]
            pending += [(entry, index, node) for index, node in enumerate(entry["inbound_nodes"])]
        while pending:
            waiting = []
            for entry, index, node in pending:
                sources = [tensor["config"]["keras_history"] for tensor in _tensors(node)]
                if any((name, at) not in grids for name, at, _ in sources):
                    waiting.append((entry, index, node))
                    continue
                used_by = consumers[entry["name"]]
                consumer = entries.get(used_by[0]) if len(used_by) == 1 else None
                inbound = [grids[name, at][tensor] for name, at, tensor in sources]
                result, grids[entry["name"], index] = self._node(entry, inbound, consumer)
                first = results.setdefault(entry["name"], result)
                if (first.entry, first.zeros) != (result.entry, result.zeros):
                    raise undilatable(entry, "it is called several times, at different strides")
            if len(waiting) == len(pending):
                raise InputError(f"the graph of `{config['name']}` has nodes without inputs; build it again")
            pending = waiting
        config["layers"] = [new for entry in config["layers"] for new in _emit(entry, results)]
        return [
            # In references of outputs Keras counts a nested network's own node; elsewhere it doesn't.
            grids[name, at - ("output_layers" in entries[name]["config"])][tensor]
            for name, at, tensor in outputs
        ]

    def sequential(self, config: dict[str, Any], grid: Grid) -> Grid | None:
        """Rewrite a Sequential network's config in place; return the grid of its output."""
        entries = [
            plain | {"name": plain["config"]["name"], "inbound_nodes": []} for plain in config["layers"]
        ]
        config["layers"] = []
        for entry, consumer in zip(entries, [*entries[1:], None]):
            results = {}
            if entry["class_name"] == "InputLayer":
                self._input(entry, grid)
            else:
                results[entry["name"]], (grid,) = self._node(entry, [grid], consumer)
            for new in _emit(entry, results):
                del new["name"], new["inbound_nodes"]
                config["layers"].append(new)
        return grid

    def _input(self, entry: Entry, given: Grid | None) -> Grid | None:
        shape = entry["config"]["batch_shape"]
        if given is None:
            return Grid(1, 1, tuple(shape[1:3])) if len(shape) == 4 else None
        if given.rate > 1:
            entry["config"]["batch_shape"] = [shape[0], None, None, shape[3]]
        return given

    def _node(
        self, entry: Entry, inbound: list[Grid | None], consumer: Entry | None
    ) -> tuple[Rewritten, list[Grid | None]]:
        """Rewrite one layer for one of its calls; return the layer and the grids of its outputs."""
        if "layers" in entry["config"]:
            new = {key: value for key, value in copy.deepcopy(entry).items() if key != "build_config"}
            if "input_layers" in new["config"]:
                return Rewritten(new, None), self.functional(new["config"], inbound)
            grid = self.sequential(new["config"], inbound[0])
            return Rewritten(new, grid), [grid]
        result = self._layer(entry, [grid for grid in inbound if grid is not None], consumer)
        if result.grid is not None:
            self.strides.add(result.grid.stride)
        return result, [result.grid]

    def _layer(self, entry: Entry, grids: list[Grid], consumer: Entry | None) -> Rewritten:
        kind = entry["class_name"]
        if not grids or kind in GLOBAL:
            return Rewritten(entry, None)
        grid = max(grids, key=lambda g: g.stride)
        if any((other.rate, other.stride) != (grid.rate, grid.stride) for other in grids if grid.rate > 1):
            raise undilatable(entry, "its inputs would have different strides")
        if kind in WINDOWS:
            return dilate_window(entry, grid, self.limit)
        if kind == "ZeroPadding2D":
            return dilate_zero_padding(entry, grid, self.limit, consumer)
        if kind in UPSAMPLINGS:
            return enlarge(entry, grid)
        if kind not in self.pointwise and grid.rate > 1:
            why = "it isn't known to treat each position alone (if it does, name its class in `pointwise`)"
            raise undilatable(entry, why)
        if kind not in self.pointwise and set(entry["config"].get("strides") or [1]) - {1}:
            raise undilatable(entry, "it has strides and isn't a known layer of Keras")
        return Rewritten(entry, Grid(grid.stride, grid.rate, grid.size_hw))


def _emit(entry: Entry, results: dict[str, Rewritten]) -> Iterator[Entry]:
    """Yield the new entries for a layer: a padding layer if it needs one, then the layer itself."""
    if entry["name"] not in results:  # an input
        yield entry
        return
    new, zeros = results[entry["name"]].entry, results[entry["name"]].zeros
    if zeros != NO_PADS:
        name = f"{entry['name']}_atrous_pad"
        config = {
            "name": name,
            "dtype": new["config"]["dtype"],
            "padding": zeros,
            "data_format": "channels_last",
        }
        padding = {"module": "keras.layers", "class_name": "ZeroPadding2D", "registered_name": None}
        yield padding | {
            "config": config,
            "name": name,
            "inbound_nodes": copy.deepcopy(entry["inbound_nodes"]),
        }
        new = copy.deepcopy(new)
        for index, node in enumerate(new.get("inbound_nodes", [])):
            for tensor in _tensors(node):
                tensor["config"]["keras_history"] = [name, index, 0]
    yield new


def _tensors(node: Any) -> Iterator[dict[str, Any]]:
    """Yield the tensors among the arguments of a call, in order."""
    if isinstance(node, dict) and node.get("class_name") == "__keras_tensor__":
        yield node
    elif isinstance(node, dict | list | tuple):
        for value in node.values() if isinstance(node, dict) else node:
            yield from _tensors(value)


def _references(structure: Any) -> list[tuple[str, int, int]]:
    """Flatten a structure of `[layer, node, tensor]` references."""
    if isinstance(structure, dict):
        return [r for key in sorted(structure) for r in _references(structure[key])]
    if len(structure) == 3 and isinstance(structure[0], str):
        return [tuple(structure)]
    return [r for part in structure for r in _references(part)]


def _consumers(layers: list[Entry], outputs: list[tuple[str, int, int]]) -> dict[str, list[str]]:
    """Return for each layer the names of the layers that read it; an output of the network counts as a reader."""
    consumers: dict[str, list[str]] = {entry["name"]: [] for entry in layers}
    for name, _, _ in outputs:
        consumers[name].append("")
    for entry in layers:
        for tensor in _tensors(entry["inbound_nodes"]):
            consumers[tensor["config"]["keras_history"][0]].append(entry["name"])
    return consumers
