"""DeepLab's VGG-16: centred 3x3 poolings, the last two with stride 1, and a fifth block with rate 2."""

from pathlib import Path

import keras

from wsseg.backbones.vgg_chain import caffe_max_pooling, image_input, vgg16

STRIDE = 8


def vgg_atrous(weights: str | Path | None, input_size: tuple[int, int] | None) -> keras.Model:
    """Build DeepLab's VGG-16 up to its fifth pooling, at output stride 8.

    All windows are centred, so cell `i` looks at pixel `8 * i`: resize its maps by `BilinearZoomTo(8)`.

    Args:
        weights: None, "imagenet", or the path of a weights file of `keras.applications.VGG16`.
        input_size: `(H, W)`, or None for any size from 1 pixel on.

    Returns:
        A Functional model named `vgg16`: image -> the levels of the backbone. `level_5`, the fifth pooling, is
        `(B, H // 8 + 1, W // 8 + 1, 512)`.

    Raises:
        InputError: The size is illegal, or the weights don't fit.

    References:
        Chen et al., Semantic Image Segmentation with Deep Convolutional Nets and Fully Connected CRFs,
        ICLR 2015, section 3.1.
    """
    strided = {f"block{block}_pool": caffe_max_pooling(f"block{block}_pool") for block in (1, 2, 3)}
    dense = {
        f"block{block}_pool": [{"pool_size": (3, 3), "strides": (1, 1), "padding": "same"}]
        for block in (4, 5)
    }
    dilated = {f"block5_conv{index}": [{"dilation_rate": (2, 2)}] for index in (1, 2, 3)}
    return vgg16(image_input(input_size), weights, strided | dense | dilated)
