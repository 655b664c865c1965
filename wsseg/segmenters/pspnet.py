"""PSPNet: an atrous encoder and a pyramid of regional averages, with a second head for training."""

from pathlib import Path

from keras import layers

from wsseg import backbones
from wsseg.backbones.placement import place
from wsseg.layers.aspp import convolution
from wsseg.layers.bilinear_resize import BilinearResizeTo
from wsseg.layers.legal_sizes import BACKBONE_SIZES
from wsseg.layers.pyramid_pooling import pyramid_pooling
from wsseg.segmenters.auxiliary_head import auxiliary_head
from wsseg.segmenters.segmenter import Graph


def pspnet(
    num_classes: int,
    backbone: str = "resnet50",
    output_stride: int = 8,
    weights: str | Path | None = None,
    input_size: tuple[int, int] | None = None,
    channels: int = 512,
    auxiliary: bool = True,
) -> Graph:
    """Build PSPNet on any backbone.

    The features are averaged over grids of 1 x 1, 2 x 2, 3 x 3 and 6 x 6 regions. The averages are concatenated with
    the features, fused by a 3x3 convolution, classified, and upsampled to the image's size.

    Args:
        num_classes: Number of classes, including the background.
        backbone: Name of a network in `wsseg.backbones`.
        output_stride: Output stride of the encoder: 32, 16 or 8.
        weights: Weights of the backbone: None, "imagenet", or a weights file.
        input_size: `(H, W)`, or None for any size.
        channels: Number of channels of the fusing convolution; the second head has half as many.
        auxiliary: Whether there is a second head, on level 4, for a second training loss
            (`Segmenter.with_auxiliary`; its weight is 0.4 in the paper). Inference does not compute it.

    References:
        Zhao et al., Pyramid Scene Parsing Network, CVPR 2017, sections 3.2 and 3.3.
    """
    network = backbones.create(backbone, output_stride, weights=weights, input_size=input_size)
    image, features = network.inputs[0], network.output["level_5"]
    fused = convolution(pyramid_pooling(features), channels, "fuse", kernel=3)
    fused = layers.Dropout(0.1, name="fuse_dropout")(fused)
    scores = layers.Conv2D(num_classes, 1, dtype="float32", name="scores")(fused)
    to_image = BilinearResizeTo(**place(network, "level_5"), name="logits", dtype="float32")
    second = auxiliary_head(network, num_classes, max(channels // 2, 1)) if auxiliary else None
    return Graph(image, to_image([scores, image]), network, second, sizes=BACKBONE_SIZES)
