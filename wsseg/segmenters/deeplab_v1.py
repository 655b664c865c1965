"""DeepLab v1 LargeFOV: VGG-16 at stride 8 with a widely spaced 3x3 convolution in place of its dense layers."""

from pathlib import Path

import keras
from keras import layers

from wsseg.backbones.vgg_atrous import STRIDE, vgg_atrous
from wsseg.backbones.vgg_dense import fc6_fc7
from wsseg.errors import InputError, require_whole
from wsseg.layers.bilinear_zoom import BilinearZoomTo
from wsseg.segmenters.segmenter import Graph


def deeplab_v1(
    num_classes: int,
    backbone: str = "vgg16",
    weights: str | Path | None = None,
    input_size: tuple[int, int] | None = None,
    channels: int = 1024,
    rate: int = 12,
) -> Graph:
    """Build DeepLab v1 LargeFOV, without its CRF (`wsseg.refiners` has that).

    This is the released network: 3x3 poolings, the last two with stride 1; conv5 at atrous rate 2; a 3x3 average
    pooling after pool5 (`pool5a`); fc6 (3x3 at rate 12) and fc7 (1x1), with dropout; fc8 with initial weights from
    N(0, 0.01). All windows are centred, so cell `i` is centred on pixel `8 i`, and the scores are upsampled
    accordingly: with aligned corners if the sides are `8 k + 1` (321, 513). fc6 and fc7 belong to the backbone,
    because they are pretrained and train at its learning rate in the paper; fc8 is the head (ten times the rate).

    20.5 M parameters for 21 classes.

    Args:
        num_classes: Number of classes, including the background.
        backbone: "vgg16", the only one supported.
        weights: None, "imagenet", or a weights file of `keras.applications.VGG16`. If the file includes the top, fc6
            and fc7 are decimated from its dense layers (`wsseg.backbones.vgg_dense`); otherwise they are
            random.
        input_size: `(H, W)`, or None for any size of at least 1 pixel.
        channels: Number of channels of fc6 and fc7.
        rate: Atrous rate of fc6.

    Raises:
        InputError: The backbone, size or rate is not supported, or the weights do not fit.

    References:
        Chen et al., Semantic Image Segmentation with Deep Convolutional Nets and Fully Connected CRFs,
        ICLR 2015, section 3.1; LargeFOV: section 5.1 (version 3 on arXiv).
    """
    network = large_fov("deeplab_v1", backbone, weights, input_size, channels, rate)
    image = network.inputs[0]
    scores = layers.Conv2D(
        num_classes,
        1,
        kernel_initializer=keras.initializers.RandomNormal(stddev=0.01),
        dtype="float32",
        name="fc8",
    )(network.output["fc7"])
    logits = BilinearZoomTo(STRIDE, name="logits", dtype="float32")([scores, image])
    return Graph(image, logits, network)


def large_fov(
    name: str,
    backbone: str,
    weights: str | Path | None,
    input_size: tuple[int, int] | None,
    channels: int,
    rate: int,
) -> keras.Model:
    """Build VGG-16 LargeFOV up to fc7.

    Args:
        name: Name of the network that is built on it, for error messages.
        backbone: "vgg16".
        weights: See `deeplab_v1`.
        input_size: See `deeplab_v1`.
        channels: Number of channels of fc6 and fc7.
        rate: Atrous rate of fc6.

    Returns:
        A functional model: image -> the backbone's levels and `fc7`, `(B, h, w, channels)` at stride 8. A side of
        8 k + 1 pixels has k + 1 cells (each strided pooling reduces n cells to n // 2 + 1).

    Raises:
        InputError: See `deeplab_v1`.
    """
    if backbone != "vgg16":
        raise InputError(
            f"`backbone` of `{name}` can only be vgg16; got {backbone!r}; "
            "try `deeplab_v2` or `deeplab_v3` for other backbones"
        )
    rate = require_whole("rate", rate, hint="try 12")
    chain = vgg_atrous(weights, input_size)
    # Caffe's average counts the zeros of the padding; Keras' "same" does not.
    x = layers.ZeroPadding2D(1, name="pool5a_pad")(chain.output["level_5"])
    x = layers.AveragePooling2D(3, strides=1, name="pool5a")(x)
    fc7 = fc6_fc7(x, channels, weights, kernel=3, rate=rate, padding="same")
    return keras.Model(chain.inputs[0], chain.output | {"fc7": fc7}, name=chain.name)
