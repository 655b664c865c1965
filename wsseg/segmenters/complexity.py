"""What a network costs: parameters and multiply-adds, counted from its graph without allocating a weight."""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import keras

from wsseg import segmenters
from wsseg.backbones.shapes_only import shapes_only
from wsseg.errors import InputError


@dataclass(frozen=True)
class Cost:
    """What one network costs.

    Attributes:
        parameters: Numbers in its weights, running statistics and a second head included.
        multiply_adds: Of convolutions and dense layers for one image, without a second head.
        size_hw: The image's size, pixels: the smallest legal one from the size asked for.
        sizes: The image sizes that the network takes, in words.
        output_stride: Pixels from cell to cell of the coarsest features.
    """

    parameters: int
    multiply_adds: int
    size_hw: tuple[int, int]
    sizes: str
    output_stride: int


def cost(name: str, size: int = 512, **options: Any) -> Cost:
    """Count what a segmenter costs.

    Args:
        name: A key of `wsseg.segmenters.SEGMENTERS`.
        size: Side of a square image, pixels; raised to the network's next legal side.
        options: As for `wsseg.segmenters.create`; 21 classes by default.

    Raises:
        InputError: No such network or option.

    Example:
        >>> found = cost("deeplab_v3_plus", 64, backbone="mobilenet_0.25", num_classes=3)
        >>> found.size_hw, found.output_stride
        ((64, 64), 16)
    """
    options = {"num_classes": 21} | options
    options.pop("weights", None)
    with shapes_only():
        try:
            model = segmenters.create(name, **options | {"input_size": (size, size)})
        except InputError:
            sizes = segmenters.create(name, **options).sizes  # raises where the size is not to blame
            size = sizes.above(size)
            model = segmenters.create(name, **options | {"input_size": (size, size)})
    return Cost(
        model.count_params(),
        multiply_adds(model),
        (size, size),
        str(model.sizes),
        model.output_stride,
    )


def multiply_adds(model: keras.Model) -> int:
    """Count the multiplications of a functional model's convolutions and dense layers for one image.

    A layer that is called several times counts each time; biases, normalisations, activations, poolings and
    resizings count nothing, as is usual.

    Args:
        model: Of fixed input size.

    Example:
        >>> image = keras.Input((8, 8, 3))
        >>> multiply_adds(keras.Model(image, keras.layers.Conv2D(4, 3, padding="same")(image)))
        6912
    """
    return sum(_of_call(layer, source, out) for layer, source, out in _calls(model))


def _calls(model: keras.Model) -> Iterator[tuple[keras.layers.Layer, Any, Any]]:
    """Yield `(layer, first input, first output)` of each call in the graph, nested models opened."""
    for nodes in model._nodes_by_depth.values():
        for node in nodes:
            if node.is_input:
                continue
            layer = node.operation
            inner = getattr(layer, "layers", None)
            if isinstance(layer, keras.Sequential) and inner:
                # Rewritten to a smaller stride, its inner sizes are unknown; its convolution gives the last.
                for one in inner:
                    yield one, node.input_tensors[0], node.outputs[0]
            elif isinstance(layer, keras.Model):
                yield from _calls(layer)
            else:
                yield layer, node.input_tensors[0], node.outputs[0]


def _of_call(layer: Any, source: Any, out: Any) -> int:
    # A separable convolution has two kernels and no `kernel`.
    kernels = [getattr(layer, name, None) for name in ("kernel", "depthwise_kernel", "pointwise_kernel")]
    weights = sum(math.prod(kernel.shape) for kernel in kernels if kernel is not None)
    if not weights:
        return 0
    if len(out.shape) != 4:
        return weights  # a dense layer
    # Each kernel element is used once for each position: of the output, or, transposed, of the input.
    positions = source.shape if isinstance(layer, keras.layers.Conv2DTranspose) else out.shape
    return weights * math.prod(positions[1:3])
