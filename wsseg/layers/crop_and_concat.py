"""U-Net's skip connection: crop the encoder's map to the decoder's size and concatenate them."""

import keras
from keras import layers

from wsseg.layers.crop_to import CropTo


def crop_and_concat(skip: keras.KerasTensor, tensor: keras.KerasTensor, name: str) -> keras.KerasTensor:
    """Crop the centre of a symbolic map to the size of another one and concatenate their channels.

    Args:
        skip: `(B, H, W, C)`, at least as large as `tensor`.
        tensor: `(B, h, w, D)`.
        name: Name of the concatenation layer; the crop is `{name}_crop`.

    Returns:
        `(B, h, w, C + D)`, the skip's channels first.

    Raises:
        InputError: `skip` is smaller than `tensor`.

    References:
        Ronneberger et al., U-Net: Convolutional Networks for Biomedical Image Segmentation, MICCAI 2015,
        section 2.

    Example:
        >>> crop_and_concat(keras.Input((64, 64, 512)), keras.Input((56, 56, 512)), "merge_4").shape
        (None, 56, 56, 1024)
    """
    return layers.Concatenate(name=name)([CropTo(name=f"{name}_crop")([skip, tensor]), tensor])
