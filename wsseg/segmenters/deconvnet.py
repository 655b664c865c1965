"""DeconvNet: VGG-16 with its dense layers, and a mirrored decoder of unpoolings and transposed convolutions."""

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

    The encoder has VGG-16's 13 convolutions, and VGG-16's first two dense layers as a 7x7 convolution without
    padding (fc6) and a 1x1 convolution (fc7). The decoder has a 7x7 transposed convolution back to the size of the
    last features, and 13 transposed 3x3 convolutions that mirror the encoder; each block begins with an unpooling
    that uses the encoder's switches. Batch norm and ReLU follow each layer except the 1x1 classifier.

    The published network gets one object proposal of 224 x 224 pixels at a time; `wsseg.segmenters.proposals`
    predicts an image in this way. The network also accepts larger whole images (multiples of 32). At 224 pixels fc6
    has one cell per image, so its batch norm needs batches of several images for training.

    Encoder, fc6 and fc7 are the backbone: they train at the base learning rate, and the decoder at the head's (a
    `head_multiplier` of 1 makes them equal, as in the paper).

    Args:
        num_classes: Number of classes, including the background.
        backbone: "vgg16", the only one supported.
        weights: Weights of the backbone: None, "imagenet", or a weights file of VGG-16. If the file includes the top,
            fc6 and fc7 are its dense layers (`wsseg.backbones.vgg_dense`); otherwise they are random.
        input_size: `(H, W)`, multiples of 32 from 224; None for any such size.
        channels: Number of channels of fc6 and fc7. The paper's 4096 make 222 of the 252 million parameters.
        width: Factor of the channels of encoder and decoder; 1 in the paper.

    Raises:
        InputError: The backbone, size or width is not supported, the weights do not fit VGG-16, or weights are given
            with a width other than 1.

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
    """Return the decoder's initial weights, as in the authors' network definition."""
    return keras.initializers.RandomNormal(stddev=0.01)
