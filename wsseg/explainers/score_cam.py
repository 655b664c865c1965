"""Score-CAM: each channel is weighted by the score of the image masked with it."""

from collections.abc import Sequence
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from wsseg.errors import InputError, require_whole
from wsseg.explainers.masking import Masking
from wsseg.explainers.score import Score

WEIGHTS = ("softmax", "increase")


class ScoreCAM(Masking):
    r"""Score-weighted class activation map (Wang et al. 2020, definition 1 and algorithm 1)†.

    $H_k = s(Up(A^k))$ with $s(M) = (M - \min M) / (\max M - \min M)$ is channel $k$ of the explained layer as a mask:
    enlarged bilinearly to the image's size, with its cells placed where they look, and stretched to [0, 1]. The
    channel's increase of confidence is $C_k = f^c(X \circ H_k) - f^c(X_b)$ with the baseline $X_b$, an image of zeros
    (or of `fill`, which then also replaces the image where a mask hides it). $\alpha = softmax_k(C)$ over the
    channels, and $L^c = ReLU(\sum_k \alpha_k A^k)$.

    The paper and the authors' program differ in $f$ and $\alpha$; `weights` selects one.

    - "softmax": algorithm 1, with $f^c$ the score that the target asks for; for classes, the score before the softmax.
    - "increase": $\alpha_k = C_k$ with $f^c$ the model's own output, commonly a probability. This is the authors'
      program†, except that it does not subtract the baseline's score.

    A constant channel can't be stretched: its mask is 0, its masked image is the baseline, and $C_k = 0$. It needs no
    forward pass of its own, which saves time, since many channels of a ReLU are 0 everywhere.

    Args:
        model: Any Keras model with an image among its inputs.
        layer: The layer to explain, or None for the last spatial features that the head reads.
        output: Name or position of the output, for a model with several outputs.
        weights: Formula of the channel weights: "softmax" or "increase".
        channels: Number k of channels to use, those with the largest variance over their cells; the other channels get
            the weight 0 and are not part of the softmax. None for all, as in the paper. Run time grows with k.
        fill: Values of the baseline in the model's input space: a number, one number per channel, or "mean".
        batch_size: Masked images per forward pass; None for as many pixels as 16 images of 224 x 224 have.
        progress: Show a progress bar for each image.
        image: Name or position of the explained image, for a model with several images.
        reshape: See `Explainer`.

    Raises:
        InputError: An option has an invalid value.

    References:
        Wang et al., Score-CAM: Score-Weighted Visual Explanations for Convolutional Neural Networks, CVPR Workshops
        2020. († quoted from memory.)

    Example:
        >>> from wsseg import classifiers
        >>> model = classifiers.create("gap", backbone="mobilenet_0.25", num_classes=3, input_size=(64, 64))
        >>> ScoreCAM(model, channels=8)(np.zeros((1, 64, 64, 3)), [[0, 2]]).shape
        (1, 2, 64, 64)
    """

    def __init__(
        self,
        model: keras.Model,
        layer: Any = None,
        output: str | int | None = None,
        *,
        weights: str = "softmax",
        channels: int | None = None,
        fill: float | Sequence[float] | str = 0.0,
        batch_size: int | None = None,
        progress: bool = False,
        image: str | int | None = None,
        reshape: Any = None,
    ):
        super().__init__(
            model,
            layer,
            output,
            fill=fill,
            batch_size=batch_size,
            progress=progress,
            image=image,
            reshape=reshape,
        )
        if weights not in WEIGHTS:
            raise InputError(f"`weights` must be one of {', '.join(WEIGHTS)}; got {weights!r}")
        if channels is not None:
            require_whole("channels", channels, hint="remove it to use all channels")
        self.weights, self.channels = weights, channels

    def masks(
        self, fixed: Sequence[tf.Tensor], rows: Sequence[tf.Tensor], height: Any, width: Any
    ) -> tf.Tensor:
        """Enlarge and stretch channels; number -1 is the baseline, with everything hidden."""
        (features, along_height, along_width), (numbers,) = fixed, rows
        cells = tf.gather(tf.transpose(features[0], (2, 0, 1)), tf.maximum(numbers, 0))  # (n, h, w)
        cells *= tf.cast(numbers >= 0, tf.float32)[:, None, None]
        large = along_height @ cells @ tf.transpose(along_width)
        low, high = (f(large, axis=(1, 2), keepdims=True) for f in (tf.reduce_min, tf.reduce_max))
        return tf.math.divide_no_nan(large - low, high - low)

    def map_of_image(self, inputs: Sequence[tf.Tensor], score: Score, text: str) -> np.ndarray:
        """Score a masked image for each channel that is not constant, and weight the channels."""
        fitting = self.fitting(inputs)
        features = self.features_of(inputs)
        cells = features.numpy()[0]  # (h, w, C)
        chosen = self._chosen(cells)
        constant = (cells == cells[:1, :1]).all(axis=(0, 1))[chosen]
        softmax = self.weights == "softmax"
        # A softmax does not depend on the baseline's score, unless a constant channel is among the channels.
        numbers = chosen[~constant].astype(np.int32)
        if constant.any() or not softmax:
            numbers = np.append(numbers, np.int32(-1))
        height, width = inputs[self.network.image].shape[1:3]
        along = [
            self.placement(np.arange(size), axis, cells.shape[axis], size).astype(np.float32)
            for axis, size in enumerate((height, width))
        ]
        scores = self.scores(
            inputs,
            score,
            [numbers],
            fixed=[features, *along],
            fitting=fitting,
            most=len(chosen),
            own=not softmax,
            text=text,
        )
        baseline = scores[-1] if numbers[-1] == -1 else np.zeros(scores.shape[1])
        increase = np.zeros((len(chosen), scores.shape[1]))
        increase[~constant] = scores[: (~constant).sum()] - baseline
        if softmax:
            increase = np.exp(increase - increase.max(axis=0))
            increase /= increase.sum(axis=0)
        return np.maximum(np.einsum("hwk,kt->thw", cells[..., chosen].astype(np.float64), increase), 0)

    def _chosen(self, cells: np.ndarray) -> np.ndarray:
        """Return the numbers of the channels to use, in rising order."""
        count = cells.shape[-1]
        if self.channels is None or self.channels >= count:
            return np.arange(count)
        variance = cells.astype(np.float64).var(axis=(0, 1))
        return np.sort(np.argsort(-variance, kind="stable")[: self.channels])
