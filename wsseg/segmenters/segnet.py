"""SegNet: VGG-16's convolutions, and a mirrored decoder that unpools with the encoder's switches."""

from pathlib import Path

from keras import layers

from wsseg.layers.legal_sizes import LegalSizes
from wsseg.layers.max_unpooling import MaxUnpooling2D
from wsseg.segmenters.segmenter import Graph
from wsseg.segmenters.vgg_encoder import BACKBONE, mirrored_channels, normalised, vgg_encoder

SIZES = LegalSizes(32, 0, 32)


def segnet(
    num_classes: int,
    backbone: str = BACKBONE,
    weights: str | Path | None = None,
    input_size: tuple[int, int] | None = None,
    width: float = 1.0,
) -> Graph:
    """Build SegNet.

    The encoder has 13 convolutions with batch norm and ReLU, and the decoder has 13 too. Each block of the decoder
    begins with an unpooling, which places the features at the positions of the encoder's maxima. The last convolution
    gives the class logits.

    The encoder is the backbone: it trains at the base learning rate, and the decoder at the head's (a
    `head_multiplier` of 1 makes them equal, as in the paper). The image is preprocessed as for VGG-16 (the authors'
    CamVid network has a local response normalisation instead).

    Args:
        num_classes: Number of classes, including the background.
        backbone: "vgg16", the only one supported.
        weights: Weights of the encoder's convolutions: None, "imagenet", or a weights file of VGG-16.
        input_size: `(H, W)`, multiples of 32; None for any such size.
        width: Factor of the channels of all layers; 1 in the paper, less for small data or machines.

    Raises:
        InputError: The backbone, size or width is not supported, the weights do not fit VGG-16, or weights are given
            with a width other than 1.

    References:
        Badrinarayanan et al., SegNet: A Deep Convolutional Encoder-Decoder Architecture for Image
        Segmentation, PAMI 2017, section 3.
    """
    encoder = vgg_encoder(SIZES, "segnet", backbone, weights, input_size, width)
    tensor = encoder.features
    for block, channels in mirrored_channels(width).items():
        tensor = MaxUnpooling2D(pool_size=2, name=f"unpool{block}")([tensor, encoder.switches[block - 1]])
        for index, filters in zip(range(len(channels), 0, -1), channels):
            if (block, index) == (1, 1):
                continue  # the convolution of the class logits replaces it
            convolution = layers.Conv2D(
                filters,
                3,
                padding="same",
                kernel_initializer="he_normal",
                name=f"decoder{block}_conv{index}",
            )
            tensor = normalised(convolution, tensor)
    logits = layers.Conv2D(
        num_classes, 3, padding="same", kernel_initializer="he_normal", dtype="float32", name="logits"
    )(tensor)
    return Graph(encoder.image, logits, encoder.network, sizes=SIZES)
