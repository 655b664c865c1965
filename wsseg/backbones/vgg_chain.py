"""VGG-16 with some layers replaced: the base of FCN and of DeepLab's LargeFOV."""

from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import keras
from keras import layers

from wsseg.backbones.builder import create
from wsseg.backbones.output_stride import copy_weights
from wsseg.backbones.shapes_only import shapes_only
from wsseg.backbones.vgg_dense import holds_legacy_dense, load_legacy_convolutions
from wsseg.errors import InputError, is_whole

POOLS = tuple(f"block{block}_pool" for block in range(1, 6))


def image_input(input_size: tuple[int, int] | None) -> keras.KerasTensor:
    """Return the input `image` of a network that accepts images from 1 pixel on.

    Args:
        input_size: `(H, W)`, or None for any size.

    Raises:
        InputError: `input_size` is not two positive integers.
    """
    size_hw = (None, None) if input_size is None else tuple(input_size)
    if len(size_hw) != 2 or (input_size and not all(is_whole(n, 1) for n in size_hw)):
        raise InputError(
            f"`input_size` must be (height, width) of at least 1 pixel, or None for any size; "
            f"got {input_size!r}; try (320, 320)"
        )
    return keras.Input((*size_hw, 3), name="image", dtype="float32")


def vgg16(
    image: keras.KerasTensor,
    weights: str | Path | None,
    exchanged: Mapping[str, Sequence[layers.Layer | dict[str, Any]]],
    backbone: str = "vgg16",
) -> keras.Model:
    """Build VGG-16's convolutions and poolings with some layers replaced; names and weights do not change.

    Args:
        image: The input, `(B, H, W, 3)` RGB in [0, 255].
        weights: None, "imagenet", or the path of a weights file of `keras.applications.VGG16`, with or without
            its top (as in `wsseg.backbones.create`).
        exchanged: Name of a layer -> its replacement, a list in order. An entry is a new layer, or a dictionary of
            changed arguments for the layer itself.
        backbone: "vgg16", or "vgg16_torch" for torchvision's preprocessing and weights.

    Returns:
        A Functional model with the backbone's name and its levels as outputs.

    Raises:
        InputError: The weights don't fit.
    """
    legacy = holds_legacy_dense(weights)
    with shapes_only() if weights is None else nullcontext():
        network = create(backbone, weights=None if legacy else weights)
    if legacy:
        load_legacy_convolutions(network, weights)
    tensors, x = {}, image
    for layer in network.layers[1:]:
        for new in exchanged.get(layer.name, [{}]):
            if isinstance(new, dict):
                new = type(layer).from_config(layer.get_config() | new)
            x = new(x)
        tensors[layer.name] = x
    level_layers = {level: tensor._keras_history.operation.name for level, tensor in network.output.items()}
    levels = {level: tensors[name] for level, name in level_layers.items()}
    rebuilt = keras.Model(image, levels, name=network.name)
    if weights is not None:
        copy_weights(network, rebuilt)
    return rebuilt


def caffe_max_pooling(name: str) -> list[layers.Layer]:
    """Return 3x3 max pooling with stride 2 and one pixel of padding, as in Caffe.

    Caffe rounds sizes up: a side of n gives n // 2 + 1, and window i is centred on pixel 2 * i for even and odd n
    (TensorFlow's "same" centres it on 2 * i + 1 where n is even). The padding is zero, which does not change a maximum
    of values that come from a ReLU.

    Args:
        name: Name of the pooling layer; the padding layer is `<name>_pad`.
    """
    # The second pixel at the end is for the last window of an even side.
    return [
        layers.ZeroPadding2D(((1, 2), (1, 2)), name=f"{name}_pad"),
        layers.MaxPooling2D(3, strides=2, name=name),
    ]
