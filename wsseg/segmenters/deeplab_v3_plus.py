"""DeepLab v3+: an atrous encoder, an atrous pyramid (ASPP), and a decoder that adds detail of stride 4."""

from pathlib import Path

from keras import layers

from wsseg import backbones
from wsseg.backbones.placement import place
from wsseg.layers.aspp import aspp, convolution
from wsseg.layers.bilinear_resize import BilinearResizeTo
from wsseg.layers.legal_sizes import BACKBONE_SIZES
from wsseg.segmenters.atrous_rates import pyramid_rates
from wsseg.segmenters.segmenter import Graph

LOW_LEVEL_CHANNELS = 48  # section 4.1


def deeplab_v3_plus(
    num_classes: int,
    backbone: str = "resnet50",
    output_stride: int = 16,
    weights: str | Path | None = None,
    input_size: tuple[int, int] | None = None,
    channels: int = 256,
    rates: tuple[int, int, int] | None = None,
) -> Graph:
    """Build DeepLab v3+ on any backbone.

    The pyramid's result is upsampled to stride 4, joined with the low-level features (reduced to 48
    channels), refined by two 3x3 separable convolutions, classified, and upsampled to the input's size.

    Args:
        num_classes: Number of classes, including the background.
        backbone: Name of a network in `wsseg.backbones`.
        output_stride: Output stride of the encoder: 32, 16 or 8.
        weights: Weights of the backbone: None, "imagenet", or a weights file.
        input_size: `(H, W)`, or None for any size.
        channels: Number of channels of pyramid and decoder; 256 in the paper, fewer for small data or machines.
        rates: Atrous rates of the pyramid's 3x3 branches; None for (6, 12, 18) at output stride 16, doubled at 8,
            halved at 32. If a rate is at least the size of the feature map, a 3x3 branch sees only its own cell: at
            output stride 8, images of 128 pixels have maps of 16 cells, but the published rates go up to 36.

    Raises:
        InputError: The rates are not positive integers.

    References:
        Chen et al., Encoder-Decoder with Atrous Separable Convolution for Semantic Image Segmentation,
        ECCV 2018, section 3.
    """
    network = backbones.create(backbone, output_stride, weights=weights, input_size=input_size)
    image, levels = network.inputs[0], network.output
    pyramid = aspp(levels["level_5"], channels, pyramid_rates(rates, output_stride))
    low = convolution(levels["level_2"], LOW_LEVEL_CHANNELS, "low_level")
    to_low, to_image = place(network, "level_5", "level_2"), place(network, "level_2")
    fused = layers.Concatenate(name="decoder_concat")(
        [BilinearResizeTo(**to_low, name="pyramid_resize")([pyramid, low]), low]
    )
    for index in range(2):
        fused = convolution(fused, channels, f"decoder_{index}", kernel=3, separable=True)
    scores = layers.Conv2D(num_classes, 1, dtype="float32", name="scores")(fused)
    logits = BilinearResizeTo(**to_image, name="logits", dtype="float32")([scores, image])
    return Graph(image, logits, network, sizes=BACKBONE_SIZES)
