"""DeconvNet: VGG-16 with its dense layers, and a deep mirror image of unpooling and transposed convolutions."""

from pathlib import Path

import keras
from keras import layers

from wsseg.backbones.vgg_dense import SIDE, as_convolutions, read_dense
from wsseg.layers.legal_sizes import LegalSizes
from wsseg.layers.max_unpooling import MaxUnpooling2D
from wsseg.segmenters.segmenter import Graph
from wsseg.segmenters.vgg_encoder import BACKBONE, BLOCKS, mirrored_channels, normalised, scaled, vgg_encoder

SIZES = LegalSizes(32, 0, 224)


def deconvnet(
    num_classes: int,
    backbone: str = BACKBONE,
    weights: str | Path | None = None,
    input_size: tuple[int, int] | None = None,
    channels: int = 4096,
    width: float = 1.0,
) -> Graph:
    """Build DeconvNet.

    VGG-16's 13 convolutions, its first two dense layers as a 7x7 convolution without padding and a 1x1 one;
    then a 7x7 transposed convolution back to the last features' size, and 13 transposed 3x3 ones that mirror
    the encoder, each block after an unpooling through the encoder's switches. Batch norm and ReLU follow each
    layer but the 1x1 classifier.

    The published network sees one object proposal of 224 x 224 pixels at a time: `wsseg.segmenters.proposals`
    predicts an image so. Larger images (multiples of 32) go through it as a whole, too. At 224 pixels fc6 has one
    cell an image, so its batch norm needs batches of several images to train.

    Encoder, fc6 and fc7 are the backbone: they learn at the base rate, the decoder at the head's (alike, as in
    the paper, with a `head_multiplier` of 1).

    Args:
        num_classes: Background included.
        backbone: "vgg16", the only one.
        weights: Of the backbone: None, "imagenet", or a weights file of VGG-16; with the file's top fc6 and fc7
            are its dense layers (`wsseg.backbones.vgg_dense`), without it they are random.
        input_size: `(H, W)`, multiples of 32 from 224, or None for any such.
        channels: Of fc6 and fc7; 4096 in the paper, which makes 222 of the 252 million parameters.
        width: Factor of the channels of encoder and decoder; 1 in the paper.

    Raises:
        InputError: Another backbone, an illegal size or width, weights that don't fit VGG-16, or any with
            another width than 1.

    References:
        Noh et al., Learning Deconvolution Network for Semantic Segmentation, ICCV 2015, sections 3 and 4.1.
    """
    encoder = vgg_encoder(SIZES, "deconvnet", backbone, weights, input_size, width)
    dense = read_dense(weights)
    convolutions = [
        layers.Conv2D(
            channels, kernel, kernel_initializer="he_normal" if dense is None else "zeros", name=name
        )
        for name, kernel in (("fc6", SIDE), ("fc7", 1))
    ]
    tensor = encoder.features
    for convolution in convolutions:
        tensor = normalised(convolution, tensor)
    if dense is not None:
        for convolution, pretrained in zip(convolutions, as_convolutions(*dense, SIDE, channels)):
            convolution.set_weights(pretrained)
    network = keras.Model(encoder.image, tensor, name=BACKBONE)

    tensor = normalised(_transposed(scaled(BLOCKS[-1][0], width), SIDE, "valid", "fc6_transposed"), tensor)
    for block, filters in mirrored_channels(width).items():
        tensor = MaxUnpooling2D(pool_size=2, name=f"unpool{block}")([tensor, encoder.switches[block - 1]])
        for index, count in enumerate(filters, start=1):
            tensor = normalised(_transposed(count, 3, "same", f"decoder{block}_conv{index}"), tensor)
    logits = layers.Conv2D(num_classes, 1, kernel_initializer=_gaussian(), dtype="float32", name="logits")(
        tensor
    )
    return Graph(encoder.image, logits, network, sizes=SIZES)


def _transposed(channels: int, kernel: int, padding: str, name: str) -> layers.Conv2DTranspose:
    return layers.Conv2DTranspose(
        channels, kernel, padding=padding, kernel_initializer=_gaussian(), name=name
    )


def _gaussian() -> keras.initializers.Initializer:
    """Return the decoder's initial weights, those of the authors' network definition."""
    return keras.initializers.RandomNormal(stddev=0.01)
