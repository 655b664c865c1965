"""Where in the image a feature cell looks: stride and centre of every tensor of a convolutional network.

Networks seldom look where half-pixel resizing assumes. MobileNet pads at the end only, so its cells look half
a stride further down and right; ResNet's look half a stride further up and left. Rewriting strides to dilation
keeps those centres while the cells become smaller, so the error grows to more than a cell: 23.5 pixels for
MobileNet at output stride 16. Maps drawn without this correction are displaced, the more the smaller the
image scale; mirroring hides half of it as blur.

These are the centres of the receptive fields, by the layers' geometry. Learnt kernels may weigh one side more: pasted
patches move the features of MobileNet with ImageNet weights as if its cells looked 9 to 12 pixels further up and left.
"""

from typing import Any

import keras

from wsseg.grid import IMAGE, Grid

RESAMPLING = (
    "Conv2DTranspose",
    "UpSampling2D",
    "Resizing",
    "Reshape",
    "Resize",
    "Permute",
    "AdaptiveAveragePooling2D",
    "BilinearRescale",
    "BilinearResizeTo",
    "BilinearUpsampling2D",
    "BilinearZoomTo",
    "CropTo",
    "MaxUnpooling2D",
    "NearestResizeTo",
)
"""Layers and operations behind which the place of a cell is not computed."""

SWITCHES = "MaxPoolingWithSwitches2D"


def grids(model: keras.Model) -> dict[int, Grid]:
    """Compute the grid of every spatial tensor of a flat functional model.

    For a window of `k` taps at rate `d` with `b` cells of padding before, a cell's centre moves by
    `((k - 1) d / 2 - b)` input strides. "Same" padding with a stride follows TensorFlow's rule for the input's
    size, and that for an even size where it is not known. Layers that keep the size keep the grid.

    Args:
        model: Without nested functional models (`wsseg.explainers.flattening.flatten`).

    Returns:
        `id(symbolic tensor) -> Grid`; tensors behind layers that resample otherwise are left out.

    Example:
        >>> image = keras.Input((64, 64, 3))
        >>> features = keras.layers.Conv2D(1, 3, strides=2, padding="same")(image)
        >>> grids(keras.Model(image, features))[id(features)].centre_hw
        (1.0, 1.0)
    """
    found: dict[int, Grid] = {id(x): IMAGE for x in model.inputs if len(x.shape) == 4}
    for depth in sorted(model._nodes_by_depth, reverse=True):
        for node in model._nodes_by_depth[depth]:
            several = len(node.outputs) != 1 and type(node.operation).__name__ != SWITCHES
            if node.is_input or several or len(node.outputs[0].shape) != 4:
                continue
            # Gates of size 1 x 1 (squeeze and excite) say nothing of the place.
            known = [x for x in node.input_tensors if id(x) in found and tuple(x.shape[1:3]) != (1, 1)]
            if known and (grid := _after(node.operation, known[0], found[id(known[0])])) is not None:
                found[id(node.outputs[0])] = grid
    return found


def _after(layer: Any, tensor: Any, grid: Grid) -> Grid | None:
    """Return the grid of a layer's output, or None where the layer resamples in a way not known here."""
    layers = keras.layers
    layer = getattr(layer, "wrapped", layer)  # a layer that flattening gave another name
    if isinstance(layer, keras.Sequential):  # ConvNeXt's downsampling
        for inner in layer.layers:
            grid = grid and _after(inner, inner.input, grid)
        return grid
    if isinstance(layer, keras.Model) or type(layer).__name__ in RESAMPLING:
        return None
    if isinstance(layer, (layers.ZeroPadding2D, layers.Cropping2D)):
        sign = -1 if isinstance(layer, layers.ZeroPadding2D) else 1
        before = layer.padding if sign < 0 else layer.cropping
        return _moved(grid, [sign * before[axis][0] for axis in (0, 1)], (1, 1))
    window = getattr(layer, "kernel_size", None) or getattr(layer, "pool_size", None)
    if window is None:
        return grid
    window = (window, window) if isinstance(window, int) else tuple(window)
    rates = _pair(getattr(layer, "dilation_rate", 1))
    strides = window if type(layer).__name__ == SWITCHES else _pair(getattr(layer, "strides", 1) or 1)
    padding = getattr(layer, "padding", "valid")
    shifts = []
    for axis in (0, 1):
        reach = (window[axis] - 1) * rates[axis]
        if padding == "same":
            before = _same_padding(tensor.shape[1 + axis], reach + 1, strides[axis]) // 2
        elif padding in ("valid", "end"):
            before = 0
        else:
            before = padding[axis][0]
        shifts.append(reach / 2 - before)
    return _moved(grid, shifts, strides)


def _pair(value: Any) -> tuple[int, int]:
    return (value, value) if isinstance(value, int) else tuple(value)


def _same_padding(size: int | None, reach: int, stride: int) -> int:
    if size is None:
        size = 2 * stride * reach  # a multiple of the stride
    return max((-(-size // stride) - 1) * stride + reach - size, 0)


def _moved(grid: Grid, cells: list[float], strides: tuple[int, int]) -> Grid:
    pairs = list(zip(grid.stride_hw, grid.centre_hw, cells, strides))
    return Grid(tuple(s * step for s, _, _, step in pairs), tuple(c + s * shift for s, c, shift, _ in pairs))
