"""VGG-16's convolutions with batch norm, and poolings that return the positions of their maxima."""

from dataclasses import dataclass
from pathlib import Path

import keras
from keras import layers

from wsseg.backbones.output_stride import copy_weights
from wsseg.backbones.vgg_chain import image_input, vgg16
from wsseg.errors import InputError
from wsseg.layers.aspp import MOMENTUM
from wsseg.layers.image_preprocessing import ImagePreprocessing
from wsseg.layers.legal_sizes import LegalSizes
from wsseg.layers.max_pooling_with_switches import MaxPoolingWithSwitches2D
from wsseg.layers.size_guard import SizeGuard

BLOCKS = ((64, 2), (128, 2), (256, 3), (512, 3), (512, 3))
"""Channels and number of the convolutions of each block (Simonyan & Zisserman 2015, table 1, D)."""

BACKBONE = "vgg16"


@dataclass(frozen=True)
class Encoder:
    """A symbolic encoder.

    Attributes:
        network: Model: image -> features of stride 32. It is the segmenter's backbone. Its convolutions have
            VGG-16's own names, so the weights of a trained VGG-16 can be copied by name.
        image: The input, `(B, H, W, 3)` RGB in [0, 255].
        features: The output of `network`, `(B, H / 32, W / 32, C)`.
        switches: Positions of the maxima in each block's pooling, first block first.
    """

    network: keras.Model
    image: keras.KerasTensor
    features: keras.KerasTensor
    switches: tuple[keras.KerasTensor, ...]


def vgg_encoder(
    sizes: LegalSizes,
    segmenter: str,
    backbone: str = BACKBONE,
    weights: str | Path | None = None,
    input_size: tuple[int, int] | None = None,
    width: float = 1.0,
) -> Encoder:
    """Build the 13 convolutions, each with batch norm and ReLU, and the five poolings.

    Args:
        sizes: Image sizes that the segmenter supports.
        segmenter: Name of the segmenter, for error messages.
        backbone: "vgg16", the only one supported.
        weights: Weights of the convolutions: None, "imagenet", or a weights file of VGG-16. Batch norm keeps its
            initial values.
        input_size: `(H, W)`, or None for any supported size.
        width: Factor of the channels of all layers.

    Raises:
        InputError: The backbone, size or width is not supported, the weights do not fit VGG-16, or weights are given
            with a width other than 1.
    """
    if backbone != BACKBONE:
        raise InputError(f"`backbone` of `{segmenter}` can only be {BACKBONE}; got {backbone!r}")
    if not isinstance(width, int | float) or width * BLOCKS[0][0] < 1:
        raise InputError(f"`width` must be a number from {1 / BLOCKS[0][0]}; got {width!r}; try 0.25")
    if weights is not None and width != 1:
        raise InputError(
            f"`weights`: pretrained weights exist for `width` 1 only; got {width} for `{segmenter}`; "
            "use `width` 1, or no weights"
        )
    image = image_input(input_size)
    sizes.check(input_size or (None, None), segmenter)
    tensor = SizeGuard(sizes.multiple, sizes.remainder, sizes.smallest, segmenter, name="size_guard")(image)
    tensor = ImagePreprocessing("caffe", name="image_preprocessing")(tensor)
    switches = []
    for block, (channels, count) in enumerate(BLOCKS, start=1):
        for index in range(1, count + 1):
            convolution = layers.Conv2D(
                scaled(channels, width),
                3,
                padding="same",
                kernel_initializer="he_normal",
                name=f"block{block}_conv{index}",
            )
            tensor = normalised(convolution, tensor)
        tensor, where = MaxPoolingWithSwitches2D(pool_size=2, name=f"block{block}_pool")(tensor)
        switches.append(where)
    network = keras.Model(image, tensor, name=BACKBONE)
    if weights is not None:
        copy_weights(vgg16(image_input(None), weights, {}), network)
    return Encoder(network, image, tensor, tuple(switches))


def normalised(layer: keras.layers.Layer, tensor):
    """Apply a layer, batch norm and ReLU; batch norm and ReLU are named after the layer.

    The layer keeps its bias, although batch norm makes it redundant: both networks were published with it, and
    VGG-16's biases are copied into it.
    """
    tensor = layers.BatchNormalization(momentum=MOMENTUM, epsilon=1e-5, name=f"{layer.name}_bn")(
        layer(tensor)
    )
    return layers.ReLU(name=f"{layer.name}_relu")(tensor)


def scaled(channels: int, width: float) -> int:
    """Return the number of channels of a layer, scaled by the factor `width`."""
    return max(1, round(channels * width))


def mirrored_channels(width: float = 1.0) -> dict[int, tuple[int, ...]]:
    """Return the channels of the decoder that mirrors the encoder, block 5 first.

    Each convolution has as many output channels as its counterpart in the encoder has input channels. The
    counterpart of the encoder's first convolution, whose input is the image, has 64.

    Example:
        >>> mirrored_channels()
        {5: (512, 512, 512), 4: (512, 512, 256), 3: (256, 256, 128), 2: (128, 64), 1: (64, 64)}
    """
    result = {}
    for block in range(len(BLOCKS), 0, -1):
        channels, count = BLOCKS[block - 1]
        before = BLOCKS[max(block - 2, 0)][0]
        result[block] = tuple(scaled(n, width) for n in [channels] * (count - 1) + [before])
    return result
