"""PSPNet's pyramid pooling module: context of several extents, concatenated with the features."""

import keras
from keras import layers

from wsseg.errors import InputError
from wsseg.layers.adaptive_average_pooling import AdaptiveAveragePooling2D
from wsseg.layers.aspp import convolution
from wsseg.layers.bilinear_resize import BilinearResizeTo


def pyramid_pooling(features: keras.KerasTensor, bins: tuple[int, ...] = (1, 2, 3, 6)) -> keras.KerasTensor:
    """Add the pyramid to a symbolic tensor.

    Level `i` is pooled to `bins[i]` x `bins[i]` averages. A 1x1 convolution to `C // len(bins)` channels (`pyramid_1`,
    `pyramid_2` ...), batch norm and ReLU follow. Each level is then resized bilinearly (half-pixel centres) to the
    features' size.

    Args:
        features: `(B, h, w, C)`.
        bins: Number of bins along each axis, one number per level.

    Returns:
        The features and then the levels, `(B, h, w, C + len(bins) * (C // len(bins)))`.

    Raises:
        InputError: `bins` is empty.

    References:
        Zhao et al., Pyramid Scene Parsing Network, CVPR 2017, section 3.2.

    Example:
        >>> pyramid_pooling(keras.Input((None, None, 64))).shape
        (None, None, None, 128)
    """
    if not bins:
        raise InputError("`bins` must name at least one level; try (1, 2, 3, 6)")
    channels = max(features.shape[-1] // len(bins), 1)
    levels = [features]
    for index, count in enumerate(bins, start=1):
        pooled = AdaptiveAveragePooling2D(count, name=f"pyramid_{index}_pooling")(features)
        pooled = convolution(pooled, channels, f"pyramid_{index}")
        levels.append(BilinearResizeTo(name=f"pyramid_{index}_resize")([pooled, features]))
    return layers.Concatenate(name="pyramid_concat")(levels)
