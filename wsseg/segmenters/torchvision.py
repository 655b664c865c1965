"""Torchvision's segmentation networks on ResNet, rebuilt exactly, so that weights trained there fit."""

from pathlib import Path

import keras
from keras import layers

from wsseg import backbones
from wsseg.layers.aspp import aspp, convolution
from wsseg.layers.bilinear_resize import BilinearResizeTo
from wsseg.layers.legal_sizes import BACKBONE_SIZES
from wsseg.segmenters.segmenter import Graph

OUTPUT_STRIDE = 8  # reached by dilating layer3 and layer4
RATES = (12, 24, 36)  # atrous rates of the pyramid
CHANNELS = 256  # channels of the pyramid


def fcn_resnet(
    num_classes: int,
    depth: int,
    weights: str | Path | None = None,
    input_size: tuple[int, int] | None = None,
    auxiliary: bool = True,
) -> Graph:
    """Build torchvision's `fcn_resnet50` or `fcn_resnet101`: a small head on atrous features of stride 8.

    Unlike Long et al.'s FCN it has no skips. The head is a 3x3 convolution to a quarter of the channels and a 1x1
    convolution to the classes; the scores are upsampled bilinearly to the image's size. Features are resized with
    half-pixel centres, without the alignment of `wsseg.backbones.placement`, because the weights were trained
    without it.

    Args:
        num_classes: Number of classes, including the background.
        depth: Number of layers of the ResNet: 50 or 101.
        weights: Weights of the backbone: None, or a weights file (`wsseg import-weights`).
        input_size: `(H, W)`, or None for any size.
        auxiliary: Whether there is a second head, on layer3, which torchvision trains with half the loss.

    References:
        Facts from torchvision 0.29's `models/segmentation/fcn.py` and `_utils.py`; tests check the equality.
    """
    network = _backbone(depth, weights, input_size)
    return _graph(network, _fcn_head(network.output["level_5"], num_classes), num_classes, auxiliary)


def deeplab_v3_resnet(
    num_classes: int,
    depth: int,
    weights: str | Path | None = None,
    input_size: tuple[int, int] | None = None,
    auxiliary: bool = True,
) -> Graph:
    """Build torchvision's `deeplabv3_resnet50` or `deeplabv3_resnet101`.

    It differs from the paper's network: there is no multi-grid in the last stage, and one more 3x3 convolution after
    the pyramid. Features are resized as in `fcn_resnet`.

    Args:
        num_classes: Number of classes, including the background.
        depth: Number of layers of the ResNet: 50 or 101.
        weights: Weights of the backbone: None, or a weights file (`wsseg import-weights`).
        input_size: `(H, W)`, or None for any size.
        auxiliary: Whether there is a second head, on layer3, which torchvision trains with half the loss.

    References:
        Chen et al., Rethinking Atrous Convolution for Semantic Image Segmentation, 2017. Facts from
        torchvision 0.29's `models/segmentation/deeplabv3.py`; tests check the equality.
    """
    network = _backbone(depth, weights, input_size)
    x = aspp(network.output["level_5"], CHANNELS, RATES, dropout=0.5, separable=False)
    x = convolution(x, CHANNELS, "head", kernel=3)
    scores = layers.Conv2D(num_classes, 1, dtype="float32", name="scores")(x)
    return _graph(network, scores, num_classes, auxiliary)


def _backbone(depth: int, weights: str | Path | None, input_size: tuple[int, int] | None) -> keras.Model:
    # `backbones.create` dilates as torchvision does: the first block of a dilated stage keeps the previous rate.
    return backbones.create(f"resnet{depth}_torch", OUTPUT_STRIDE, weights=weights, input_size=input_size)


def _fcn_head(
    features: keras.KerasTensor, num_classes: int, name: str = "head", prefix: str = ""
) -> keras.KerasTensor:
    x = convolution(features, features.shape[-1] // 4, name, kernel=3)
    x = layers.Dropout(0.1, name=f"{prefix}dropout")(x)
    return layers.Conv2D(num_classes, 1, dtype="float32", name=f"{prefix}scores")(x)


def _graph(network: keras.Model, scores: keras.KerasTensor, num_classes: int, auxiliary: bool) -> Graph:
    image, second = network.inputs[0], None
    logits = BilinearResizeTo(name="logits", dtype="float32")([scores, image])
    if auxiliary:
        second = _fcn_head(network.output["level_4"], num_classes, "auxiliary_0", "auxiliary_")
        second = BilinearResizeTo(name="auxiliary_logits", dtype="float32")([second, image])
    return Graph(image, logits, network, second, sizes=BACKBONE_SIZES)
