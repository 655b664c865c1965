"""The cost of a network: parameters and multiply-adds, counted from its graph without allocating weights."""

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
    """Cost of one network.

    Attributes:
        parameters: Number of values in the weights, including running statistics and a second head.
        multiply_adds: Multiply-adds of convolutions and dense layers for one image, without a second head.
        size_hw: Size of the image, pixels: the smallest supported size that is not below the requested size.
        sizes: Image sizes that the network supports, in words.
        output_stride: Stride of the coarsest features, pixels.
    """

    parameters: int
    multiply_adds: int
    size_hw: tuple[int, int]
    sizes: str
    output_stride: int


def cost(name: str, size: int = 512, **options: Any) -> Cost:
    """Compute the cost of a segmenter.

    Args:
        name: A key of `wsseg.segmenters.SEGMENTERS`.
        size: Side of a square image, pixels; increased to the next side that the network supports.
        options: Options of `wsseg.segmenters.create`; `num_classes` is 21 by default.

    Raises:
        InputError: There is no such network or option.

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
            sizes = segmenters.create(name, **options).sizes  # raises again unless the size is the cause
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

    A layer that is called several times counts each time. Biases, normalisations, activations, poolings and
    resizings do not count, as is usual.

    Args:
        model: A functional model with a fixed input size.

    Example:
        >>> image = keras.Input((8, 8, 3))
        >>> multiply_adds(keras.Model(image, keras.layers.Conv2D(4, 3, padding="same")(image)))
        6912
    """
    return sum(_of_call(layer, source, out) for layer, source, out in _calls(model))


def _calls(model: keras.Model) -> Iterator[tuple[keras.layers.Layer, Any, Any]]:
    """Yield `(layer, first input, first output)` of each call in the graph, including calls in nested models."""
    for nodes in model._nodes_by_depth.values():
        for node in nodes:
            if node.is_input:
                continue
            layer = node.operation
            inner = getattr(layer, "layers", None)
            if isinstance(layer, keras.Sequential) and inner:
                # A layer rewritten to a smaller stride: inner sizes are unknown; its convolution gives the output.
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
    # Each kernel element is used once per position of the output (of the input, for a transposed convolution).
    positions = source.shape if isinstance(layer, keras.layers.Conv2DTranspose) else out.shape
    return weights * math.prod(positions[1:3])
