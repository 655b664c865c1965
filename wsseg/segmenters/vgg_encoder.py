"""VGG-16's convolutions with batch norm, and pooling that remembers where its maxima were."""

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
        network: Image -> features of stride 32; what a segmenter calls its backbone. Its convolutions have
            VGG-16's own names, so a trained VGG-16's weights can be copied by name.
        image: The input, `(B, H, W, 3)` RGB in [0, 255].
        features: `(B, H / 32, W / 32, C)`.
        switches: Of each block's pooling, first block first.
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
        sizes: What the segmenter takes.
        segmenter: Its name, for messages.
        backbone: "vgg16", the only one.
        weights: Of the convolutions: None, "imagenet", or a weights file of VGG-16; batch norm starts afresh.
        input_size: `(H, W)`, or None for any legal size.
        width: Factor of the channels of all layers.

    Raises:
        InputError: Another backbone, an illegal size or width, weights that don't fit VGG-16, or any with
            another width than 1.
    """
    if backbone != BACKBONE:
        raise InputError(f"`backbone` of `{segmenter}` can only be {BACKBONE}; got {backbone!r}")
    if not isinstance(width, int | float) or width * BLOCKS[0][0] < 1:
        raise InputError(f"`width` must be a number from {1 / BLOCKS[0][0]}; got {width!r}; try 0.25")
    if weights is not None and width != 1:
        raise InputError(
            f"`weights`: pretrained ones exist for `width` 1 only; got {width} for `{segmenter}`; "
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
    """Apply a layer, batch norm and ReLU; the latter two are named after the layer.

    The layer keeps its bias, which batch norm makes superfluous: both networks were published with it, and
    it takes VGG-16's.
    """
    tensor = layers.BatchNormalization(momentum=MOMENTUM, epsilon=1e-5, name=f"{layer.name}_bn")(
        layer(tensor)
    )
    return layers.ReLU(name=f"{layer.name}_relu")(tensor)


def scaled(channels: int, width: float) -> int:
    """Return the channels of a layer at a width."""
    return max(1, round(channels * width))


def mirrored_channels(width: float = 1.0) -> dict[int, tuple[int, ...]]:
    """Return the channels of the decoder that mirrors the encoder, block 5 first.

    Each convolution gives as many channels as its counterpart takes; the counterpart of the first, which
    takes an image, gives 64.

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
