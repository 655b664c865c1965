"""DeepLab v2: atrous encoder, classifiers with four fields of view added up, and fusion of three scales."""

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

HIDDEN_CHANNELS = 1024  # of fc6 and fc7 on VGG-16, section 4.1.2
SCALES = (0.5, 0.75)  # beside 1, section 4.1.2


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

    On VGG-16 it is the released network, as DeepLab v1: 3x3 poolings, and branches of fc6, fc7 and fc8, of which
    fc6 and fc7 count as the backbone (they are pretrained). Elsewhere all branches are the head.

    Args:
        num_classes: Background included.
        backbone: A network of `wsseg.backbones`.
        output_stride: 32, 16 or 8, of the encoder; 8 only on `vgg16`.
        weights: Of the backbone: None, "imagenet", or a weights file. Those of `vgg16` with the top also give
            each branch's fc6 and fc7 (`wsseg.backbones.vgg_dense`).
        input_size: `(H, W)`, or None for any size.
        channels: Of two hidden layers in each branch; None for the published ones: 1024 on VGG-16, no hidden
            layers on ResNet-101 and all others.
        rates: Of the branches. At a rate of the map's size or more, a branch sees no more than its own cell.
        multi_scale: Look at the image also at half and three quarters of its size with the same layers, draw
            the scores at the image's size, and take at each pixel the largest of the three, when training as
            when predicting. About 1.8 times the work; batch norm's running statistics then move three times a
            step.

    Raises:
        InputError: Rates that aren't positive integers, or another stride on `vgg16`.

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
    """Return VGG-16 with the branches' fc6 and fc7, which get the pretrained weights if there are any."""
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
    """Repeat a network at smaller scales of its image; return the largest logits of each pixel."""
    network = keras.Model(image, logits)
    maps = [logits]
    for scale in SCALES:
        percent = round(100 * scale)
        small = BilinearRescale(scale, name=f"image_{percent}", dtype="float32")(image)
        # The layers one by one, not `network(small)`: the model stays flat, its layers go by their names.
        small_logits = network._run_through_graph([small], operation_fn=lambda layer: layer)
        maps.append(BilinearResizeTo(name=f"logits_{percent}", dtype="float32")([small_logits, image]))
    return layers.Maximum(name="largest_logits", dtype="float32")(maps)
