"""VGG-16 for torchvision's weights: Keras' graph with torchvision's preprocessing."""

from typing import Any

import keras

from wsseg.backbones.resnet_torch import no_download


def vgg16_torch(weights: None = None, **arguments: Any) -> keras.Model:
    """Build VGG-16, whose layers are the same in Keras and in torchvision.

    Only the preprocessing differs: Keras' ImageNet weights expect BGR minus the mean (mode "caffe"), and torchvision's
    weights expect mode "torch". So Keras' weights must not be downloaded for this network.

    Args:
        weights: Must be None; there are no weights to download.
        arguments: Arguments of `keras.applications.VGG16`.

    Raises:
        InputError: `weights` is not None.

    References:
        Simonyan and Zisserman, Very Deep Convolutional Networks, ICLR 2015, configuration D.
    """
    if weights is not None:
        raise no_download("vgg16_torch")
    return keras.applications.VGG16(weights=None, **arguments)
