"""Occlusion: the score's drop when a window covers part of the image."""

from collections.abc import Sequence
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from wsseg.errors import InputError
from wsseg.explainers.masking import Masking
from wsseg.explainers.perturbation import pair
from wsseg.explainers.score import Score


class Occlusion(Masking):
    r"""Occlusion sensitivity (Zeiler and Fergus 2014, section 4.2)†.

    A window of one colour is moved over the image. The map's value at a pixel is the mean of the drops $y - y_w$ over
    the windows $w$ that cover it, with $y$ the score of the whole image and $y_w$ the score of the covered image.
    Windows start every `stride` pixels; if the last windows do not reach the border, one more ends there, so every
    pixel is covered. The raw map has the image's size, and is negative where covering raises the score.

    Args:
        model: Any Keras model with an image among its inputs; it needs no spatial layer.
        layer: Must be None: the image itself is explained.
        output: Name or position of the output, for a model with several outputs.
        window: Size of the window in pixels, one number or (height, width); None for a seventh of the shorter side.
        stride: Pixels from window to window, one number or (height, width), at most the window's size; None for half.
        fill: Colour of the window in the model's input space: a number, one number per channel, or "mean" for the
            image's own mean colour, which suits every input space.
        batch_size: Covered images per forward pass; None for as many pixels as 16 images of 224 x 224 have.
        progress: Show a progress bar for each image.
        image: Name or position of the explained image, for a model with several images.

    Raises:
        InputError: An option has an invalid value, or the window is larger than the image.

    References:
        Zeiler and Fergus, Visualizing and Understanding Convolutional Networks, ECCV 2014. († quoted from memory.)

    Example:
        >>> model = keras.Sequential([keras.Input((8, 8, 1)), keras.layers.Flatten(), keras.layers.Dense(2)])
        >>> Occlusion(model, window=4, stride=2)(np.ones((1, 8, 8, 1)), [1]).shape
        (1, 8, 8)
    """

    at_layer = False

    def __init__(
        self,
        model: keras.Model,
        layer: None = None,
        output: str | int | None = None,
        *,
        window: int | tuple[int, int] | None = None,
        stride: int | tuple[int, int] | None = None,
        fill: float | Sequence[float] | str = "mean",
        batch_size: int | None = None,
        progress: bool = False,
        image: str | int | None = None,
    ):
        super().__init__(
            model, layer, output, fill=fill, batch_size=batch_size, progress=progress, image=image
        )
        self.window = None if window is None else pair("window", window, "try 32 for an image of 224 pixels")
        self.stride = None if stride is None else pair("stride", stride, "try half the window")
        if self.window and self.stride:
            self._check_stride(self.window)

    def masks(
        self, fixed: Sequence[tf.Tensor], rows: Sequence[tf.Tensor], height: Any, width: Any
    ) -> tf.Tensor:
        """Hide one window per version; a window that starts outside the image hides nothing."""
        (window,), (corners,) = fixed, rows
        covered = [
            (tf.range(size) >= corners[:, axis, None])
            & (tf.range(size) < corners[:, axis, None] + window[axis])
            for axis, size in enumerate((height, width))
        ]
        return 1 - tf.cast(covered[0][:, :, None] & covered[1][:, None, :], tf.float32)

    def map_of_image(self, inputs: Sequence[tf.Tensor], score: Score, text: str) -> np.ndarray:
        """Cover the image window by window, and spread each drop over its window."""
        size_hw = inputs[self.network.image].shape[1:3]
        window, stride = self._sizes(size_hw)
        starts = [_starts(*axis) for axis in zip(size_hw, window, stride)]
        corners = np.array([(y, x) for y in starts[0] for x in starts[1]] + [size_hw], np.int32)
        scores = self.scores(
            inputs,
            score,
            [corners],
            fixed=[np.array(window, np.int32)],
            fitting=self.fitting(inputs),
            text=text,
        )
        drops = (scores[-1] - scores[:-1]).T.reshape(-1, len(starts[0]), len(starts[1]))  # (T, rows, columns)
        rows, columns = (
            ((np.arange(size) >= first[:, None]) & (np.arange(size) < first[:, None] + side)).astype(
                np.float64
            )
            for size, first, side in zip(size_hw, starts, window)
        )
        return (rows.T @ drops @ columns) / np.outer(rows.sum(axis=0), columns.sum(axis=0))

    def _sizes(self, size_hw: tuple[int, int]) -> tuple[tuple[int, int], tuple[int, int]]:
        side = max(round(min(size_hw) / 7), 1)
        window = self.window or (side, side)
        if window[0] > size_hw[0] or window[1] > size_hw[1]:
            raise InputError(
                f"`window` is {window} (height, width), larger than the image, {tuple(size_hw)}; try {side}"
            )
        self._check_stride(window)
        return window, self.stride or (max(window[0] // 2, 1), max(window[1] // 2, 1))

    def _check_stride(self, window: tuple[int, int]) -> None:
        if self.stride and (self.stride[0] > window[0] or self.stride[1] > window[1]):
            raise InputError(
                f"`stride` is {self.stride} (height, width), larger than the window, {window}: pixels between "
                "windows would never be covered; try half the window"
            )


def _starts(size: int, window: int, stride: int) -> np.ndarray:
    starts = list(range(0, size - window + 1, stride))
    if starts[-1] + window < size:
        starts.append(size - window)
    return np.array(starts)
