"""ParseNet: the average feature of the whole image, concatenated with the local features."""

from pathlib import Path

import keras
from keras import layers

from wsseg.backbones.vgg_atrous import STRIDE
from wsseg.layers.bilinear_resize import BilinearResizeTo
from wsseg.layers.bilinear_zoom import BilinearZoomTo
from wsseg.layers.l2_normalisation import L2Normalisation
from wsseg.segmenters.deeplab_v1 import large_fov
from wsseg.segmenters.segmenter import Graph


def parsenet(
    num_classes: int,
    backbone: str = "vgg16",
    weights: str | Path | None = None,
    input_size: tuple[int, int] | None = None,
    channels: int = 1024,
    rate: int = 12,
    scale: float = 10.0,
) -> Graph:
    """Build ParseNet on VGG-16 LargeFOV.

    fc7 is averaged over the image. The average and fc7 itself are normalised to length one at each cell and
    multiplied by a learnt scale per channel, because features of different origin differ in magnitude. The
    average is repeated at every cell ("unpooled"), concatenated with fc7, and classified by a 1x1 convolution.

    The paper's choices: the base for PASCAL VOC is LargeFOV's reduced VGG-16 (1,024 channels in fc6 and fc7); the
    context is the average of the last layer; the fusion is early (before the classifier). For a linear classifier,
    early fusion equals late fusion once both features are normalised. There is one learnt scale per channel; the
    initial value, 10, is ours.

    Args:
        num_classes: Number of classes, including the background.
        backbone: "vgg16", the only one supported.
        weights: See `wsseg.segmenters.deeplab_v1.deeplab_v1`.
        input_size: `(H, W)`, or None for any size of at least 1 pixel.
        channels: Number of channels of fc6 and fc7.
        rate: Atrous rate of fc6.
        scale: Initial length of both normalised features.

    Raises:
        InputError: The backbone, size or rate is not supported, or the weights do not fit.

    References:
        Liu et al., ParseNet: Looking Wider to See Better, 2015 (arXiv 1506.04579), sections 3.1 to 3.3.
    """
    network = large_fov("parsenet", backbone, weights, input_size, channels, rate)
    image, fc7 = network.inputs[0], network.output["fc7"]
    # In float32, because the sum over a map can overflow float16.
    context = layers.GlobalAveragePooling2D(keepdims=True, dtype="float32", name="pool6")(fc7)
    context = L2Normalisation(scale, name="pool6_norm")(context)
    context = BilinearResizeTo(name="pool6_unpool")([context, fc7])
    local = L2Normalisation(scale, name="fc7_norm")(fc7)
    fused = layers.Concatenate(name="fused")([local, context])
    scores = layers.Conv2D(
        num_classes,
        1,
        kernel_initializer=keras.initializers.RandomNormal(stddev=0.01),
        dtype="float32",
        name="score",
    )(fused)
    logits = BilinearZoomTo(STRIDE, name="logits", dtype="float32")([scores, image])
    return Graph(image, logits, network)
