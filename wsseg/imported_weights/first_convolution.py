"""Let a network's first convolution read images preprocessed Caffe's way instead of torchvision's."""

import numpy as np

from wsseg.layers.image_preprocessing import CAFFE_MEAN_BGR, TORCH_MEAN_RGB, TORCH_STD_RGB


def for_caffe_images(weight: np.ndarray, bias: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Take the difference of the two preprocessings into the weights.

    With p the raw image, torchvision's network reads t = (p / 255 - mean) / std, RGB, and one of
    `keras.applications`' VGG reads c = p - m, BGR. So t = c / (255 std) + (m / 255 - mean) / std: a scale and an
    offset a channel, and a convolution takes in both. Only zeros put around the image stand for another colour
    then: by at most 0.009 standard deviations, the two means being nearly the same.

    Args:
        weight: `(out, 3, h, w)`, for mode "torch" of `ImagePreprocessing`.
        bias: `(out,)`.

    Returns:
        The two for mode "caffe", float32.
    """
    mean, std = np.array(TORCH_MEAN_RGB), np.array(TORCH_STD_RGB)
    offset = (np.array(CAFFE_MEAN_BGR[::-1]) / 255 - mean) / std
    scaled = weight / (255 * std)[:, None, None]
    return scaled[:, ::-1].astype("float32"), (bias + weight.sum((2, 3)) @ offset).astype("float32")
