"""Ablation-CAM: channels weighted by what the score loses without each of them."""

from collections.abc import Sequence

import numpy as np
import tensorflow as tf

from wsseg.explainers.core import Score
from wsseg.explainers.network import Outputs
from wsseg.explainers.perturbation import Perturbation, repeated

BYTES = 2**25
"""Size of the features that are run at once, where `batch_size` is not given."""


class AblationCAM(Perturbation):
    r"""Class activation map by ablation of channels (Desai and Ramaswamy 2020)†.

    $w_k^c = (y^c - y_k^c) / |y^c|$ with $y^c$ the score, and $y_k^c$ the score with channel $k$ of the explained layer
    set to 0; $L^c = ReLU(\sum_k w_k^c A^k)$. No gradient is taken, and only the head runs for each channel. A channel
    that is 0 everywhere already has the weight 0 without a pass.

    The paper defines a slope, $(y^c - y_k^c) / \|A^k\|$, and uses the division by $y^c$ in its place†; so does this.
    Here it is its absolute value, the same wherever the score is positive: so a class of a negative score before the
    softmax keeps the channels that speak for it. Where $y^c$ is 0 the drop is not divided.

    Args:
        model: Any Keras model with an image among its inputs.
        layer: The layer to explain, or None for the last spatial features that the head reads.
        output: Name or position of the output, where the model has several.
        batch_size: Channels that are ablated at once; None for as many as make 32 MB of features.
        progress: Show a bar for each image.

    Raises:
        InputError: An option has a value it can't have.

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
        """Run the head without one channel each; number -1 leaves all."""
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
        drop = (whole - scores[:-1]) / np.where(whole == 0, 1, np.abs(whole))
        return np.maximum(np.einsum("hwk,kt->thw", cells[..., alive].astype(np.float64), drop), 0)
