"""DeepLab v2: an atrous encoder, the sum of classifiers with four fields of view, and fusion of three scales."""

from pathlib import Path

import keras
from keras import layers

from wsseg import backbones
from wsseg.backbones.placement import place
from wsseg.backbones.vgg_atrous import STRIDE, vgg_atrous
from wsseg.backbones.vgg_dense import as_convolutions, read_dense
from wsseg.errors import InputError
from wsseg.layers.aspp_sum import RATES, aspp_sum
from wsseg.layers.bilinear_rescale import BilinearRescale
from wsseg.layers.bilinear_resize import BilinearResizeTo
from wsseg.layers.bilinear_zoom import BilinearZoomTo
from wsseg.layers.legal_sizes import BACKBONE_SIZES
from wsseg.segmenters.atrous_rates import checked_rates
from wsseg.segmenters.segmenter import Graph

HIDDEN_CHANNELS = 1024  # channels of fc6 and fc7 on VGG-16, section 4.1.2
SCALES = (0.5, 0.75)  # in addition to 1, section 4.1.2


def deeplab_v2(
    num_classes: int,
    backbone: str = "resnet101",
    output_stride: int = 8,
    weights: str | Path | None = None,
    input_size: tuple[int, int] | None = None,
    channels: int | None = None,
    rates: tuple[int, ...] = RATES,
    multi_scale: bool = False,
) -> Graph:
    """Build DeepLab v2 on any backbone, without its CRF (`wsseg.refiners` has that).

    On `vgg16` it is the released network, like DeepLab v1: it has 3x3 poolings, and each branch has fc6, fc7 and fc8.
    fc6 and fc7 belong to the backbone, because they are pretrained. On other backbones all branches are the head.

    Args:
        num_classes: Number of classes, including the background.
        backbone: Name of a network in `wsseg.backbones`.
        output_stride: Output stride of the encoder: 32, 16 or 8; only 8 on `vgg16`.
        weights: Weights of the backbone: None, "imagenet", or a weights file. A file of `vgg16` with the top also
            initialises fc6 and fc7 of each branch (`wsseg.backbones.vgg_dense`).
        input_size: `(H, W)`, or None for any size.
        channels: Number of channels of the two hidden layers in each branch; None for the published ones: 1024 on
            VGG-16, no hidden layers on ResNet-101 and all others.
        rates: Atrous rates of the branches. If a rate is at least the size of the feature map, the branch sees only
            its own cell.
        multi_scale: Whether to apply the same layers also at half and three quarters of the image's size, resize the
            scores to the image's size, and use the maximum of the three at each pixel, in training and prediction.
            It takes about 1.8 times the computation, and batch norm updates its running statistics three times per
            step.

    Raises:
        InputError: The rates are not positive integers, or the stride is not supported on `vgg16`.

    References:
        Chen et al., DeepLab: Semantic Image Segmentation with Deep Convolutional Nets, Atrous Convolution, and
        Fully Connected CRFs, 2016, sections 3.1, 3.2 and 4.1.2.
    """
    rates = checked_rates(rates)
    if backbone.startswith("vgg16"):
        channels = channels or HIDDEN_CHANNELS
    if backbone == "vgg16":
        if output_stride != STRIDE:
            raise InputError(
                f"`output_stride` of `deeplab_v2` on `vgg16` can only be {STRIDE}; got {output_stride!r}"
            )
        network = vgg_atrous(weights, input_size)
        scores = aspp_sum(network.output["level_5"], num_classes, rates, channels)
        network = _with_dense(network, scores, len(rates), weights)
        draw = BilinearZoomTo(STRIDE, name="logits", dtype="float32")
    else:
        network = backbones.create(backbone, output_stride, weights=weights, input_size=input_size)
        scores = aspp_sum(network.output["level_5"], num_classes, rates, channels)
        draw = BilinearResizeTo(**place(network, "level_5"), name="logits", dtype="float32")
    image = network.inputs[0]
    logits = draw([scores, image])
    return Graph(
        image, _largest_of_scales(image, logits) if multi_scale else logits, network, sizes=BACKBONE_SIZES
    )


def _with_dense(
    network: keras.Model, scores: keras.KerasTensor, branches: int, weights: str | Path | None
) -> keras.Model:
    """Return VGG-16 with fc6 and fc7 of all branches, and set their pretrained weights if there are any."""
    graph = keras.Model(network.inputs, scores)
    dense, outputs = read_dense(weights), dict(network.output)
    for branch in range(1, branches + 1):
        fc6, fc7 = graph.get_layer(f"fc6_{branch}"), graph.get_layer(f"fc7_{branch}")
        if dense is not None:
            for layer, initial in zip((fc6, fc7), as_convolutions(*dense, 3, fc7.filters)):
                layer.set_weights(initial)
        outputs[fc7.name] = fc7.output
    return keras.Model(network.inputs[0], outputs, name=network.name)


def _largest_of_scales(image: keras.KerasTensor, logits: keras.KerasTensor) -> keras.KerasTensor:
    """Apply a network also at smaller scales of its image; return the maximum logits of each pixel."""
    network = keras.Model(image, logits)
    maps = [logits]
    for scale in SCALES:
        percent = round(100 * scale)
        small = BilinearRescale(scale, name=f"image_{percent}", dtype="float32")(image)
        # The layers are called one by one, not as `network(small)`, so that the model stays flat and keeps its names.
        small_logits = network._run_through_graph([small], operation_fn=lambda layer: layer)
        maps.append(BilinearResizeTo(name=f"logits_{percent}", dtype="float32")([small_logits, image]))
    return layers.Maximum(name="largest_logits", dtype="float32")(maps)
