"""Where in the image a feature cell looks: stride and centre of every tensor of a convolutional network.

The cells of most networks do not look where half-pixel resizing assumes. MobileNet pads at the end only, so its cells
look half a stride further down and right; ResNet's cells look half a stride further up and left. Rewriting strides to
dilation keeps these centres while the cells become smaller, so the error grows to more than a cell: 23.5 pixels for
MobileNet at output stride 16. Without a correction, maps are displaced, and more so at smaller image scales. Averaging
with the mirrored image turns the horizontal part of the displacement into blur.

The centres are those of the receptive fields, computed from the geometry of the layers. Learnt kernels may weigh one
side more: patches pasted into an image move the features of MobileNet with ImageNet weights as if its cells looked 9 to
12 pixels further up and left.
"""

from typing import Any

import keras

from wsseg.backbones.layer_grids import output_grid, rule_of
from wsseg.grid import IMAGE, Grid
from wsseg.layers.grid_rules import Unknown, windowed


def grids(model: keras.Model) -> dict[int, Grid]:
    """Compute the grid of every spatial tensor of a flat functional model.

    `wsseg.backbones.layer_grids` gives what each layer does to the grid. A layer without a rule is taken for a
    convolution or pooling if it has a `kernel_size` or `pool_size`; otherwise it is assumed to keep the grid.

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
    found: dict[int, Grid] = {id(x): IMAGE for x in model.inputs if len(x.shape) == 4}
    for depth in sorted(model._nodes_by_depth, reverse=True):
        for node in model._nodes_by_depth[depth]:
            # Flattening wraps a layer to give it another name.
            operation = getattr(node.operation, "wrapped", node.operation)
            several = len(node.outputs) != 1 and rule_of(operation) is None
            if node.is_input or several or len(node.outputs[0].shape) != 4:
                continue
            # Gates of size 1 x 1 (squeeze and excite) have no position.
            known = [x for x in node.input_tensors if id(x) in found and tuple(x.shape[1:3]) != (1, 1)]
            if not known:
                continue
            layer = output_grid(operation, known[0].shape)
            if layer is Unknown.NO_RULE:
                layer = _assumed(operation, known[0].shape)
            if isinstance(layer, Grid):
                found[id(node.outputs[0])] = found[id(known[0])].through(layer)
    return found


def _assumed(operation: Any, input_shape: tuple[int | None, ...]) -> Grid | Unknown:
    """Return the assumed grid of a layer without a rule: that of a Keras layer with its window, else no change."""
    if isinstance(operation, keras.Model):
        return Unknown.NO_RULE
    window = getattr(operation, "kernel_size", None) or getattr(operation, "pool_size", None)
    return IMAGE if window is None else windowed(operation, input_shape)
