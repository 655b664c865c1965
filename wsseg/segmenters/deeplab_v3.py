"""DeepLab v3: an atrous encoder with multi-grid, and an atrous pyramid (ASPP) with image pooling."""

from pathlib import Path

from keras import layers

from wsseg import backbones
from wsseg.backbones.multi_grid import has_multi_grid
from wsseg.backbones.placement import place
from wsseg.layers.aspp import aspp
from wsseg.layers.bilinear_resize import BilinearResizeTo
from wsseg.layers.legal_sizes import BACKBONE_SIZES
from wsseg.segmenters.atrous_rates import pyramid_rates
from wsseg.segmenters.auxiliary_head import auxiliary_head
from wsseg.segmenters.segmenter import Graph

MULTI_GRID = (1, 2, 4)  # section 4.3: the best of those tried, with the pyramid


def deeplab_v3(
    num_classes: int,
    backbone: str = "resnet101",
    output_stride: int = 16,
    weights: str | Path | None = None,
    input_size: tuple[int, int] | None = None,
    channels: int = 256,
    multi_grid: tuple[int, int, int] | None = None,
    rates: tuple[int, ...] | None = None,
    auxiliary: bool = False,
) -> Graph:
    """Build DeepLab v3 on any backbone.

    Args:
        num_classes: Number of classes, including the background.
        backbone: Name of a network in `wsseg.backbones`.
        output_stride: Output stride of the encoder: 32, 16 or 8.
        weights: Weights of the backbone: None, "imagenet", or a weights file.
        input_size: `(H, W)`, or None for any size.
        channels: Number of channels of the pyramid; 256 in the paper, fewer for small data or machines.
        multi_grid: Factors of the atrous rates of the three units in a ResNet's last block; None for (1, 2, 4) on a
            ResNet. Other backbones have no such units and no multi-grid.
        rates: Atrous rates of the pyramid's 3x3 branches; None for (6, 12, 18) at output stride 16, doubled at 8,
            halved at 32. If a rate is at least the size of the feature map, a 3x3 branch sees only its own cell.
        auxiliary: Whether there is a second head, as in PSPNet (not in the paper).

    Raises:
        InputError: A multi-grid is given for a backbone other than a ResNet, or the rates are not positive integers.

    References:
        Chen et al., Rethinking Atrous Convolution for Semantic Image Segmentation, 2017, section 3.
    """
    if multi_grid is None and has_multi_grid(backbone):
        multi_grid = MULTI_GRID
    network = backbones.create(
        backbone, output_stride, weights=weights, input_size=input_size, multi_grid=multi_grid
    )
    image, features = network.inputs[0], network.output["level_5"]
    pyramid = aspp(features, channels, pyramid_rates(rates, output_stride), separable=False)
    scores = layers.Conv2D(num_classes, 1, dtype="float32", name="scores")(pyramid)
    to_image = BilinearResizeTo(**place(network, "level_5"), name="logits", dtype="float32")
    second = auxiliary_head(network, num_classes, channels) if auxiliary else None
    return Graph(image, to_image([scores, image]), network, second, sizes=BACKBONE_SIZES)
