"""Ablation-CAM: each channel is weighted by the score's drop without it."""

from collections.abc import Sequence

import numpy as np
import tensorflow as tf

from wsseg.explainers.empty_maps import explain_empty
from wsseg.explainers.network import Outputs
from wsseg.explainers.perturbation import Perturbation, repeated
from wsseg.explainers.score import Score
from wsseg.explainers.targets import Target

BYTES = 2**25
"""Size of the features of one pass when `batch_size` is not given."""

ROUNDING = 64 * np.finfo(np.float32).eps
"""Part of the score below which a drop is rounding: the same row computed at another place of a batch differs by it."""


class AblationCAM(Perturbation):
    r"""Class activation map by ablation of channels (Desai and Ramaswamy 2020)†.

    $w_k^c = (y^c - y_k^c) / |y^c|$ with $y^c$ the score, and $y_k^c$ the score with channel $k$ of the explained layer
    set to 0; $L^c = ReLU(\sum_k w_k^c A^k)$. No gradient is taken, and only the head runs for each channel. A channel
    that is 0 everywhere gets the weight 0 without a pass, and so does one whose drop is no more than the score's
    rounding (8e-6 of it): a map of such drops alone would be noise.

    The paper defines a slope, $(y^c - y_k^c) / \|A^k\|$, but divides by $y^c$ in practice†; this class does the same.
    It divides by the absolute value of $y^c$, which changes nothing for a positive score. With a negative score
    before the softmax, a class then keeps the channels that support it. If $y^c$ is 0, the drop is not divided.

    Args:
        model: Any Keras model with an image among its inputs.
        layer: The layer to explain, or None for the last spatial features that the head reads.
        output: Name or position of the output, for a model with several outputs.
        batch_size: Channels ablated per pass; None for as many as fit in 32 MB of features.
        progress: Show a progress bar for each image.
        reshape: See `Explainer`.

    Raises:
        InputError: An option has an invalid value.

    References:
        Desai and Ramaswamy, Ablation-CAM: Visual Explanations for Deep Convolutional Network via Gradient-free
        Localization, WACV 2020. († quoted from memory.)

    Example:
        >>> from wsseg import classifiers
        >>> model = classifiers.create("gap", backbone="mobilenet_0.25", num_classes=3, input_size=(64, 64))
        >>> AblationCAM(model)(np.zeros((1, 64, 64, 3)), [0]).shape
        (1, 64, 64)
    """

    def outputs_of(
        self, inputs: Sequence[tf.Tensor], fixed: Sequence[tf.Tensor], rows: Sequence[tf.Tensor]
    ) -> Outputs:
        """Run the head once per number, without the channel of that number; -1 keeps all channels."""
        (features,), (numbers,) = fixed, rows
        kept = 1 - tf.one_hot(numbers, tf.shape(features)[-1], dtype=tf.float32)  # one_hot(-1) is 0
        ablated = tf.ensure_shape(features * kept[:, None, None, :], (None, *features.shape[1:]))
        return self.network.head(ablated, repeated(inputs, numbers))

    def map_of_image(self, inputs: Sequence[tf.Tensor], score: Score, text: str) -> np.ndarray:
        """Ablate each channel that is not 0, and weight the channels."""
        features = self.features_of(inputs)
        cells = features.numpy()[0]  # (h, w, C)
        alive = np.flatnonzero((cells != 0).any(axis=(0, 1)))
        scores = self.scores(
            inputs,
            score,
            [np.append(alive, -1).astype(np.int32)],
            fixed=[features],
            fitting=BYTES // cells.nbytes,
            most=cells.shape[-1] + 1,
            text=text,
        )
        whole = scores[-1]  # (T,)
        drop = whole - scores[:-1]
        drop[np.abs(drop) <= ROUNDING * np.abs(scores).max(axis=0)] = 0
        drop /= np.where(whole == 0, 1, np.abs(whole))
        return np.maximum(np.einsum("hwk,kt->thw", cells[..., alive].astype(np.float64), drop), 0)

    def computed(self, inputs: Sequence[np.ndarray], target: Target) -> tf.Tensor:
        """Compute the raw maps; those of tokens are not empty without a word."""
        maps = super().computed(inputs, target)
        explain_empty(self, maps.numpy(), inputs, target)
        return maps
