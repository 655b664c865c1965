"""Crop a map to the size of another one."""

from typing import Any

import keras
from keras import ops

from wsseg.errors import InputError, is_whole
from wsseg.layers.grid_rules import resampled


@keras.saving.register_keras_serializable(package="wsseg")
class CropTo(keras.layers.Layer):
    """Crop a first map to the height and width of a second one.

    Args:
        offset_hw: Rows removed above and columns removed on the left. None crops the centre; of an odd difference
            the smaller half is removed above and on the left.

    Raises:
        InputError: An offset is negative; or the first map is too small, where the sizes are known when the layer is
            built or called. Where the sizes are unknown until then, the error comes when the graph runs.

    References:
        Ronneberger et al., U-Net, MICCAI 2015, figure 1 (centre). Long et al., Fully Convolutional Networks for
        Semantic Segmentation, CVPR 2015 (their code's crop at an offset).

    Example:
        >>> import numpy as np
        >>> row = np.arange(5.0).reshape(1, 1, 5, 1)
        >>> CropTo()([row, np.zeros((1, 1, 2, 7))]).numpy().ravel().tolist()
        [1.0, 2.0]
    """

    output_grid = resampled

    def __init__(self, offset_hw: tuple[int, int] | None = None, **kwargs: Any):
        super().__init__(**kwargs)
        if offset_hw is not None:
            offset_hw = tuple(offset_hw)
            if len(offset_hw) != 2 or not all(is_whole(n, 0) for n in offset_hw):
                raise InputError(f"`offset_hw` must be two integers from 0, or None; got {offset_hw!r}")
        self.offset_hw = None if offset_hw is None else tuple(map(int, offset_hw))

    def call(self, inputs):
        """Crop `inputs[0]`, `(B, H, W, C)`, to the size of `inputs[1]`, `(B, h, w, any)`."""
        big, like = inputs
        self._check(tuple(big.shape), tuple(like.shape))
        batch, *size_hw, channels = ops.shape(big)
        like_hw = ops.shape(like)[1:3]
        top, left = self.offset_hw or [(n - m) // 2 for n, m in zip(size_hw, like_hw)]
        return ops.slice(big, (0, top, left, 0), (batch, *like_hw, channels))

    def compute_output_shape(self, input_shape):
        """Return `(B, h, w, C)`."""
        big, like = input_shape
        self._check(big, like)
        return (big[0], like[1], like[2], big[3])

    def get_config(self) -> dict[str, Any]:
        """Return the constructor's arguments."""
        return super().get_config() | {"offset_hw": self.offset_hw}

    def _check(self, big, like) -> None:
        for offset, n, m in zip(self.offset_hw or (0, 0), big[1:3], like[1:3]):
            if n is not None and m is not None and offset + m > n:
                raise InputError(
                    f"layer `{self.name}` can't crop {m} cells at offset {offset} from {n} "
                    f"(maps of {tuple(big[1:3])} and {tuple(like[1:3])}); try a larger image"
                )
