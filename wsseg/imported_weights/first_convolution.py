"""Adapt a network's first convolution to images with Caffe's preprocessing instead of torchvision's."""

import numpy as np

from wsseg.layers.image_preprocessing import CAFFE_MEAN_BGR, TORCH_MEAN_RGB, TORCH_STD_RGB


def for_caffe_images(weight: np.ndarray, bias: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Include the difference between the two preprocessings in the weights of a convolution.

    Let p be the raw image. Torchvision's network has the input t = (p / 255 - mean) / std in RGB;
    `keras.applications`' VGG has the input c = p - m in BGR. So t = c / (255 std) + (m / 255 - mean) / std: a scale
    and an offset per channel, which can be included in a convolution. The only difference is the colour of the zero
    padding around the image: at most 0.009 standard deviations, because the two means are nearly equal.

    Args:
        weight: `(out, 3, h, w)`: weights for mode "torch" of `ImagePreprocessing`.
        bias: `(out,)`: bias for mode "torch".

    Returns:
        Weight and bias for mode "caffe", float32, in the same layouts.
    """
    mean, std = np.array(TORCH_MEAN_RGB), np.array(TORCH_STD_RGB)
    offset = (np.array(CAFFE_MEAN_BGR[::-1]) / 255 - mean) / std
    scaled = weight / (255 * std)[:, None, None]
    return scaled[:, ::-1].astype("float32"), (bias + weight.sum((2, 3)) @ offset).astype("float32")
