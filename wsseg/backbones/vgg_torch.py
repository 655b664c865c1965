"""VGG-16 for torchvision's weights: Keras' graph, fed with torchvision's preprocessing."""

from typing import Any

import keras

from wsseg.backbones.resnet_torch import no_download


def vgg16_torch(weights: None = None, **arguments: Any) -> keras.Model:
    """Build VGG-16, whose layers are the same in Keras and in torchvision.

    Only the images differ: Keras' ImageNet weights expect BGR minus the mean (mode "caffe"), torchvision's
    expect mode "torch". So Keras' must not be downloaded here.

    Args:
        weights: None.
        arguments: Of `keras.applications.VGG16`.

    Raises:
        InputError: Weights to be downloaded.

    References:
        Simonyan and Zisserman, Very Deep Convolutional Networks, ICLR 2015, configuration D.
    """
    if weights is not None:
        raise no_download("vgg16_torch")
    return keras.applications.VGG16(weights=None, **arguments)
