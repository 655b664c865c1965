"""U-Net's skip: the encoder's map cut to the decoder's and put beside it."""

import keras
from keras import layers

from wsseg.layers.crop_to import CropTo


def crop_and_concat(skip: keras.KerasTensor, tensor: keras.KerasTensor, name: str) -> keras.KerasTensor:
    """Cut the centre of a symbolic map to another's size and join them.

    Args:
        skip: `(B, H, W, C)`, at least as large as `tensor`.
        tensor: `(B, h, w, D)`.
        name: Of the concatenation; the cut's is `{name}_crop`.

    Returns:
        `(B, h, w, C + D)`, the skip's channels first.

    Raises:
        InputError: The skip is smaller.

    References:
        Ronneberger et al., U-Net: Convolutional Networks for Biomedical Image Segmentation, MICCAI 2015,
        section 2.

    Example:
        >>> crop_and_concat(keras.Input((64, 64, 512)), keras.Input((56, 56, 512)), "merge_4").shape
        (None, 56, 56, 1024)
    """
    return layers.Concatenate(name=name)([CropTo(name=f"{name}_crop")([skip, tensor]), tensor])
