"""Where in the image a feature cell looks: stride and centre of every tensor of a convolutional network.

The cells of most networks do not look where half-pixel resizing assumes. MobileNet pads at the end only, so its cells
look half a stride further down and right; ResNet's cells look half a stride further up and left. Rewriting strides to
dilation keeps these centres while the cells become smaller, so the error grows to more than a cell: 23.5 pixels for
MobileNet at output stride 16. Without a correction, maps are displaced, and more so at smaller image scales. Averaging
with the mirrored image turns the horizontal part of the displacement into blur.

The centres are those of the receptive fields, computed from the geometry of the layers; those of layers without a rule
are measured (`wsseg.backbones.measured_grid`). Learnt kernels may weigh one
side more: patches pasted into an image move the features of MobileNet with ImageNet weights as if its cells looked 9 to
12 pixels further up and left.
"""

import keras

from wsseg.backbones.layer_grids import rule_of
from wsseg.backbones.measured_part import measured_part
from wsseg.backbones.place_rules import agreed, through_rule
from wsseg.grid import IMAGE, Grid
from wsseg.layers.grid_rules import Unknown


def grids(model: keras.Model) -> dict[int, Grid]:
    """Compute the grid of every spatial tensor of a flat functional model.

    `wsseg.backbones.layer_grids` gives what each layer does to the grid. A layer without a rule is measured. Where
    several inputs meet, those without a grid are passed over.

    Args:
        model: A model without nested functional models (`wsseg.explainers.flattening.flatten`).

    Returns:
        `id(symbolic tensor) -> Grid`; tensors after a layer that resamples or pools the whole image are missing.

    Example:
        >>> image = keras.Input((64, 64, 3))
        >>> features = keras.layers.Conv2D(1, 3, strides=2, padding="same")(image)
        >>> grids(keras.Model(image, features))[id(features)].centre_hw
        (1.0, 1.0)
    """
    places = _Places(model, {id(x): IMAGE for x in model.inputs if len(x.shape) == 4}, strict=False)
    places.visit(None)
    return {key: grid for key, grid in places.found.items() if isinstance(grid, Grid)}


def grid_of(
    model: keras.Model, tensor: keras.KerasTensor, image: keras.KerasTensor, axes: tuple[int, int] = (1, 2)
) -> Grid | Unknown:
    """Return where in an image the cells of one tensor look.

    Only the layers between the image and the tensor are read. Layers that resample, and layers without a rule, are
    measured; so is a part of the model whose tensors are no maps, such as tokens. Where several inputs meet, their
    grids must agree.

    Args:
        model: A flat functional model.
        tensor: One of its tensors, of rank 4.
        image: The input that is the image.
        axes: Axes of the image that are height and width.

    Example:
        >>> image = keras.Input((64, 64, 3))
        >>> features = keras.layers.ReLU()(keras.ops.flip(image, axis=1))
        >>> grid_of(keras.Model(image, features), features, image)
        Grid(stride_hw=(-1.0, 1.0), centre_hw=(63.0, 0.0))
    """
    places = _Places(model, {id(image): Grid((1.0, 1.0), (0.0, 0.0), axes)}, strict=True)
    places.visit(tensor)
    found = places.found.get(id(tensor), Unknown.MIXED)
    return places.measure(tensor) if found is Unknown.MIXED else found


class _Places:
    """One pass over a model's nodes, from its inputs on.

    Args:
        model: A flat model.
        known: `id(input) -> Grid`.
        strict: Measure what has no rule or resamples, and let an unknown input make the output unknown. Otherwise
            such inputs are passed over if another one is known, and layers that resample are left out.
    """

    def __init__(self, model: keras.Model, known: dict[int, Grid], strict: bool):
        self.model, self.strict = model, strict
        self.found: dict[int, Grid | Unknown] = dict(known)
        self.moving = set(known)
        """Tensors that depend on the image, those of other ranks included."""

    def visit(self, tensor: keras.KerasTensor | None) -> None:
        """Visit all nodes, or those that a tensor depends on."""
        wanted = None if tensor is None else _nodes_behind(tensor)
        for depth in sorted(self.model._nodes_by_depth, reverse=True):
            for node in self.model._nodes_by_depth[depth]:
                inputs = [x for x in node.input_tensors if id(x) in self.moving]
                if node.is_input or not inputs or (wanted is not None and id(node) not in wanted):
                    continue
                self.moving |= {id(x) for x in node.outputs}
                # Flattening wraps a layer to give it another name.
                operation = getattr(node.operation, "wrapped", node.operation)
                several = len(node.outputs) != 1 and rule_of(operation) is None
                if several or len(node.outputs[0].shape) != 4 or id(node.outputs[0]) in self.found:
                    continue
                placed = self._of_call(operation, inputs, node.outputs[0])
                if placed is not None:
                    self.found[id(node.outputs[0])] = placed

    def _of_call(
        self, operation: keras.Operation, inputs: list[keras.KerasTensor], output: keras.KerasTensor
    ) -> Grid | Unknown | None:
        # Gates of size 1 x 1 (squeeze and excite) have no position.
        maps = [x for x in inputs if id(x) in self.found and tuple(x.shape[1:3]) != (1, 1)]
        known = [x for x in maps if isinstance(self.found[id(x)], Grid)]
        if not self.strict:
            known = known[:1]
        elif any(self.found[id(x)] in (Unknown.MIXED, Unknown.VARIES) for x in maps):
            return self.found[id(maps[0])] if len(maps) == 1 else self.measure(output)
        if self.strict and tuple(output.shape[1:3]) == (1, 1):
            return Unknown.WHOLE
        if not known:
            if not self.strict:
                return None
            return Unknown.WHOLE if maps else self.measure(output)
        moved = [through_rule(operation, self.found[id(x)], x.shape, output.shape) for x in known]
        if Unknown.NO_RULE in moved or (self.strict and Unknown.RESAMPLED in moved):
            return self.measure(output)
        return agreed(moved, output.shape) if self.strict else moved[0]

    def measure(self, tensor: keras.KerasTensor) -> Grid | Unknown:
        """Measure a tensor's grid from the nearest tensors with a known grid."""
        sources, others, seen, left = [], [], set(), [tensor]
        while left:
            one = left.pop()
            if id(one) in seen:
                continue
            seen.add(id(one))
            node = one._keras_history.operation._inbound_nodes[one._keras_history.node_index]
            state = self.found.get(id(one)) if one is not tensor else None
            if isinstance(state, Grid):
                sources.append(one)
            elif state is Unknown.WHOLE or node.is_input or id(one) not in self.moving:
                others.append(one)
            else:
                left.extend(node.input_tensors)
        return measured_part([(x, self.found[id(x)]) for x in sources], others, tensor)


def _nodes_behind(tensor: keras.KerasTensor) -> set[int]:
    """Return the ids of the nodes that a tensor depends on, its own included."""
    found, left = set(), [tensor]
    while left:
        one = left.pop()
        operation, index, _ = one._keras_history
        node = operation._inbound_nodes[index]
        if id(node) not in found:
            found.add(id(node))
            left.extend(node.input_tensors)
    return found
